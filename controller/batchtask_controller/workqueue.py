"""A queue of task uids: each at most once in it, by one worker at a time, now or after a while."""

import asyncio
from collections import deque


class WorkQueue:
    """Level-based: that a uid is in it says look at the task, never why."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._queued: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def add(self, uid: str) -> None:
        """Have the task looked at soon."""
        if uid in self._busy:
            self._again.add(uid)
        elif uid not in self._queued:
            self._queued.add(uid)
            self._ready.append(uid)
            self._wake.set()

    def add_after(self, uid: str, seconds: float) -> None:
        """Have the task looked at after so long; of several such wishes the earliest holds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._timers.get(uid)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[uid] = loop.call_at(due, self._due, uid)

    async def get(self) -> str:
        """The next uid, which stays this worker's until done() is called for it."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        uid = self._ready.popleft()
        self._queued.discard(uid)
        self._busy.add(uid)
        return uid

    def done(self, uid: str) -> None:
        """The worker has finished with it; what came meanwhile is looked at next."""
        self._busy.discard(uid)
        if uid in self._again:
            self._again.discard(uid)
            self.add(uid)

    def _due(self, uid: str) -> None:
        self._timers.pop(uid, None)
        self.add(uid)
