"""The loops that act on tasks while this process leads, and their orderly end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from batchtask_controller.desk import Desk, Desks
from batchtask_controller.leader import Leader
from batchtask_controller.pacer import Call
from batchtask_controller.store import Store
from batchtask_controller.tasks import Tasks, TasksError

log = logging.getLogger(__name__)

Sweep = Callable[[], Awaitable[None]]
"""One round of what goes on for as long as this process leads; it paces itself."""

_WORKERS = 16
_LIST_AGAIN = 2.0


class Crew:
    """Workers and a dispatcher of submissions for each desk, the sweeps: idle on a standby."""

    def __init__(
        self,
        *,
        desks: Desks,
        leader: Leader,
        sweeps: Sequence[Sweep],
        tasks: Tasks,
        store: Store,
        submissions: int,
    ) -> None:
        """Act so; each desk may have so many submissions under way at once."""
        self._desks = desks
        self._leader = leader
        self._sweeps = sweeps
        self._tasks = tasks
        self._store = store
        self._submissions = submissions
        self._acting = asyncio.Event()
        self._starting: list[asyncio.Task[None]] = []
        """Those of the loops that begin what is new: a stop ends them first."""
        self._loops: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def is_whole(self) -> bool:
        """Whether no loop has died."""
        return not any(loop.done() for loop in self._loops)

    @property
    def acts(self) -> bool:
        """Whether this process leads and has read all tasks since it does."""
        return self._acting.is_set()

    def start(self) -> None:
        """Begin to act whenever this process leads."""
        starting = [self._lead(), *map(self._dispatch, self._desks.all)]
        starting += [self._again_and_again(sweep) for sweep in self._sweeps]
        workers = (self._work(desk) for desk in self._desks.all for _ in range(_WORKERS))
        ending = [self._leader.run(), *workers]
        self._starting = [asyncio.create_task(loop) for loop in starting]
        self._loops = [*self._starting, *map(asyncio.create_task, ending)]

    async def stop(self, within_seconds: float) -> None:
        """Write no new intent, finish the submissions under way, then let go of the Lease."""
        for loop in self._starting:
            loop.cancel()
        if self._sending:
            log.info("finishing %d submissions under way", len(self._sending))
            await asyncio.wait(self._sending, timeout=within_seconds)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._leader.release()

    async def _lead(self) -> None:
        while True:
            await self._leader.gained()
            if await self._take_over():
                self._acting.set()
                await self._leader.lost()
                self._acting.clear()

    async def _take_over(self) -> bool:
        """Read every task from the API server itself: what this cache holds may be old."""
        try:
            listed = await self._tasks.list()
        except TasksError as error:
            log.warning("tasks could not be listed: %s", error)
            await asyncio.sleep(_LIST_AGAIN)
            return False
        for task in listed:
            self._store.observe(task)
        self._store.forget_jobs()
        for uid in self._store.uids():
            self._desks.add(uid)
        log.info("took over %d tasks", len(listed))
        return True

    async def _work(self, desk: Desk) -> None:
        while True:
            uid = await desk.queue.get()
            try:
                await self._acting.wait()  # the lead may have been lost since the last task
                await self._desks.reconcile(uid, desk)
            finally:
                desk.queue.done(uid)

    async def _dispatch(self, desk: Desk) -> None:
        slots = asyncio.Semaphore(self._submissions)

        def sent(sending: asyncio.Task[None]) -> None:
            self._sending.discard(sending)
            slots.release()

        while True:
            await desk.waiting.some()
            await self._acting.wait()
            await slots.acquire()
            await desk.pacer.admit(Call.SUBMIT)
            if (uid := desk.waiting.pop()) is None:
                slots.release()
                continue
            sending = asyncio.create_task(desk.reconciler.submit(uid))
            self._sending.add(sending)
            sending.add_done_callback(sent)

    async def _again_and_again(self, sweep: Sweep) -> None:
        while True:
            await self._acting.wait()
            await sweep()
