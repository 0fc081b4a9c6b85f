"""The tasks that wait for submission: fair over job queues, by priority and then age within one."""

import asyncio
import heapq
from collections import OrderedDict
from itertools import count


class Waiting:
    """A turn for each job queue that has tasks; in its turn the one of highest priority goes."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, list[tuple[int, int, str]]] = OrderedDict()
        self._entries: dict[str, tuple[str, int]] = {}
        self._arrivals = count()
        self._some = asyncio.Event()

    def add(self, uid: str, queue: str, priority: int) -> None:
        """Let the task wait, once; its priority may change meanwhile, its place in age stays."""
        if self._entries.get(uid) == (queue, priority):
            return
        self._entries[uid] = (queue, priority)
        heap = self._queues.setdefault(queue, [])
        heapq.heappush(heap, (-priority, next(self._arrivals), uid))
        self._some.set()

    async def some(self) -> None:
        """Return once there is a task that waits."""
        while not self._entries:
            self._some.clear()
            await self._some.wait()

    def discard(self, uid: str) -> None:
        """Let the task wait no longer."""
        self._entries.pop(uid, None)

    def pop(self) -> str | None:
        """Whose turn it is; None where nobody waits."""
        while self._queues:
            queue, heap = next(iter(self._queues.items()))
            uid = self._pop_from(queue, heap)
            if heap:
                self._queues.move_to_end(queue)
            else:
                del self._queues[queue]
            if uid is not None:
                return uid
        return None

    def _pop_from(self, queue: str, heap: list[tuple[int, int, str]]) -> str | None:
        while heap:
            negated, _, uid = heapq.heappop(heap)
            if self._entries.get(uid) == (queue, -negated):
                del self._entries[uid]
                return uid
        return None

    def __len__(self) -> int:
        return len(self._entries)
