"""One budget of calls a second for everything that is asked of one AWS account and region.

AWS Batch allows an account 50 calls a second in all. Look-ups and terminations go first; describes
keep a fifth while they are due; submissions have the rest. A throttled call halves the rate, at
most once a second, and it comes back slowly.
"""

import asyncio
from collections import deque
from enum import Enum

from batchtask_controller.clock import Clock

DESCRIBE_SHARE = 5
"""Every so many calls one is a describe's, while both describes and submissions wait."""

_RECOVERY_PER_SECOND = 0.02
_FLOOR = 0.5
_BURST_SECONDS = 0.25


class Call(Enum):
    """What a call is for."""

    URGENT = "urgent"
    """Look-ups and terminations."""
    DESCRIBE = "describe"
    SUBMIT = "submit"


class Pacer:
    """Admits calls one by one; every call of the account must ask."""

    def __init__(self, calls_per_second: float, clock: Clock) -> None:
        self._budget = calls_per_second
        self._rate = calls_per_second
        self._clock = clock
        self._tokens = 1.0
        self._last = clock.monotonic()
        self._halved = float("-inf")
        self._paused_until = float("-inf")
        self._since_describe = 0
        self._waiting: dict[Call, deque[asyncio.Future[None]]] = {call: deque() for call in Call}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rate(self) -> float:
        """Calls a second that are admitted now."""
        return self._rate

    async def admit(self, call: Call) -> None:
        """Wait for the call's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[call].append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._tokens += 1
            self._serve()
            raise

    def throttled(self, retry_after_seconds: float | None) -> None:
        """AWS refused a call for there being too many."""
        now = self._clock.monotonic()
        self._refill(now)
        if retry_after_seconds is not None:
            self._paused_until = max(self._paused_until, now + retry_after_seconds)
        if now - self._halved >= 1:
            self._halved = now
            self._rate = max(self._rate / 2, _FLOOR)
            self._tokens = min(self._tokens, 0.0)

    def _serve(self) -> None:
        now = self._clock.monotonic()
        self._refill(now)
        while now >= self._paused_until and self._tokens >= 1:
            turn = self._next()
            if turn is None:
                return
            self._tokens -= 1
            turn.set_result(None)
        self._serve_later(now)

    def _refill(self, now: float) -> None:
        passed = now - self._last
        self._last = now
        self._rate = min(self._budget, self._rate + self._budget * _RECOVERY_PER_SECOND * passed)
        most = max(1.0, self._rate * _BURST_SECONDS)
        self._tokens = min(most, self._tokens + self._rate * passed)

    def _next(self) -> asyncio.Future[None] | None:
        for queue in self._waiting.values():
            while queue and queue[0].done():
                queue.popleft()
        urgent, describe, submit = (self._waiting[call] for call in Call)
        if urgent:
            return urgent.popleft()
        if describe and (not submit or self._since_describe >= DESCRIBE_SHARE - 1):
            self._since_describe = 0
            return describe.popleft()
        if submit:
            self._since_describe += 1
            return submit.popleft()
        return None

    def _serve_later(self, now: float) -> None:
        if self._timer is not None or not any(self._waiting.values()):
            return
        pause = max(self._paused_until - now, (1 - self._tokens) / self._rate, 0.001)
        self._timer = asyncio.get_running_loop().call_later(pause, self._serve_now)

    def _serve_now(self) -> None:
        self._timer = None
        self._serve()
