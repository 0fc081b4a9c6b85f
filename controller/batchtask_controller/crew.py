"""The loops that act on tasks while this process leads, and their orderly end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from batchtask_controller.leader import Leader
from batchtask_controller.pacer import Call, Pacer
from batchtask_controller.reconcile import Reconciler
from batchtask_controller.store import Store
from batchtask_controller.tasks import Tasks, TasksError
from batchtask_controller.waiting import Waiting
from batchtask_controller.workqueue import WorkQueue

log = logging.getLogger(__name__)

Sweep = Callable[[], Awaitable[None]]
"""One round of what goes on for as long as this process leads; it paces itself."""

_WORKERS = 16
_LIST_AGAIN = 2.0


class Crew:
    """Workers for the queue, one dispatcher of submissions, the sweeps: idle on a standby."""

    def __init__(
        self,
        *,
        reconciler: Reconciler,
        leader: Leader,
        sweeps: Sequence[Sweep],
        pacer: Pacer,
        tasks: Tasks,
        store: Store,
        queue: WorkQueue,
        waiting: Waiting,
        submissions: int,
    ) -> None:
        self._reconciler = reconciler
        self._leader = leader
        self._sweeps = sweeps
        self._pacer = pacer
        self._tasks = tasks
        self._store = store
        self._queue = queue
        self._waiting = waiting
        self._slots = asyncio.Semaphore(submissions)
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
        starting = [self._lead(), self._dispatch()]
        starting += [self._again_and_again(sweep) for sweep in self._sweeps]
        ending = [self._leader.run(), *(self._work() for _ in range(_WORKERS))]
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
            self._queue.add(uid)
        log.info("took over %d tasks", len(listed))
        return True

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            try:
                await self._acting.wait()  # the lead may have been lost since the last task
                await self._reconciler.reconcile(uid)
            finally:
                self._queue.done(uid)

    async def _dispatch(self) -> None:
        while True:
            await self._waiting.some()
            await self._acting.wait()
            await self._slots.acquire()
            await self._pacer.admit(Call.SUBMIT)
            if (uid := self._waiting.pop()) is None:
                self._slots.release()
                continue
            sending = asyncio.create_task(self._reconciler.submit(uid))
            self._sending.add(sending)
            sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self._slots.release()

    async def _again_and_again(self, sweep: Sweep) -> None:
        while True:
            await self._acting.wait()
            await sweep()
