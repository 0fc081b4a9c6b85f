"""Time as local Batch sees it: the machine's clock for stamps, scaled seconds for durations."""

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Protocol


class Timer(Protocol):
    """Something that is going to happen."""

    def cancel(self) -> None:
        """Let it not happen; of no effect once it has."""


class Clock(Protocol):
    """Stamps and timers. Every duration is in Batch's seconds."""

    def now(self) -> int:
        """Return the time in milliseconds since 1970."""

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Run an action after so long, never before this call has returned."""

    def milliseconds(self, seconds: float) -> int:
        """Return what so many seconds are on the scale of `now`."""


class LoopClock:
    """An event loop's time, in which one second of Batch's lasts `scale` seconds.

    Stamps stay those of the machine's clock, so that they compare with other processes'.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if scale <= 0:
            raise ValueError(f"time_scale must be above 0, not {scale}: 0.01 makes 1 min 0.6 s")
        self._scale = scale
        self._loop = asyncio.get_running_loop()

    def now(self) -> int:
        """Return the machine's time."""
        return time.time_ns() // 1_000_000

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Run an action in the loop."""
        return self._loop.call_later(seconds * self._scale, action)

    def milliseconds(self, seconds: float) -> int:
        """Return scaled milliseconds."""
        return round(seconds * self._scale * 1000)


class ManualClock:
    """A clock that stands until it is told to go on, for tests without waiting."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = float(now)
        self._timers: list[tuple[float, int, _ManualTimer]] = []
        self._order = count()

    def now(self) -> int:
        """Return the time that it stands at."""
        return int(self._now)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Run an action in the call of `advance` that reaches its time."""
        timer = _ManualTimer(action)
        heappush(self._timers, (self._now + seconds * 1000, next(self._order), timer))
        return timer

    def milliseconds(self, seconds: float) -> int:
        """Return unscaled milliseconds."""
        return round(seconds * 1000)

    def advance(self, seconds: float) -> None:
        """Go on by so much, running what falls due in its order."""
        until = self._now + seconds * 1000
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heappop(self._timers)
            self._now = max(self._now, due)
            timer.run()
        self._now = until


class _ManualTimer:
    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self._action = None

    def run(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()
