"""A thread-safe queue: by priority, each item when its time has come."""

import heapq
import itertools
import threading
import time
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WorkQueue(Generic[Item]):
    """Of the items that are due the one of the highest priority comes first, then the oldest."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[int, int, Item]] = []
        self._later: list[tuple[float, int, int, Item]] = []
        self._count = itertools.count()
        self._paused_until = 0.0
        self._is_closed = False

    def put(self, item: Item, priority: int, *, delay_seconds: float = 0.0) -> None:
        """Add an item, due after so many seconds."""
        with self._changed:
            number = next(self._count)
            if delay_seconds > 0:
                due = time.monotonic() + delay_seconds
                heapq.heappush(self._later, (due, -priority, number, item))
            else:
                heapq.heappush(self._due, (-priority, number, item))
            self._changed.notify()

    def put_all(self, items: Iterable[tuple[Item, int]]) -> None:
        """Add items with their priorities, due now; nobody gets one before all are there."""
        with self._changed:
            for item, priority in items:
                heapq.heappush(self._due, (-priority, next(self._count), item))
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Hand out nothing for so many seconds from now; a longer pause under way stays."""
        with self._changed:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def get(self) -> Item | None:
        """Wait for the next item; None once the queue is closed."""
        with self._changed:
            while not self._is_closed:
                wait = self._advance(time.monotonic())
                if wait is None:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait if wait > 0 else None)
            return None

    def close(self) -> None:
        """Hand out nothing any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._due) + len(self._later)

    def _advance(self, now: float) -> float | None:
        """None if an item can be taken, else for how long to wait; 0 is without end."""
        if now < self._paused_until:
            return self._paused_until - now
        while self._later and self._later[0][0] <= now:
            _, priority, number, item = heapq.heappop(self._later)
            heapq.heappush(self._due, (priority, number, item))
        if self._due:
            return None
        return self._later[0][0] - now if self._later else 0.0
