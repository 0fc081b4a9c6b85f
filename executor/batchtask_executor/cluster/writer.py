"""Threads that write tasks and their workloads to the cluster, so that the scheduler needn't."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Final

from batchtask_api import BatchTask
from batchtask_executor.backoff import Backoff
from batchtask_executor.cluster.manifest import (
    Identity,
    external_id_from,
    queuing_of,
    workload_secret,
)
from batchtask_executor.cluster.orders import (
    Delayed,
    Draft,
    Order,
    Rejected,
    Renamed,
    Report,
    Written,
)
from batchtask_executor.cluster.tasks import (
    AlreadyExists,
    BatchTasks,
    Conflict,
    Forbidden,
    Gone,
    NotInstalled,
    Refused,
    TasksError,
    Unavailable,
)
from batchtask_executor.cluster.work_queue import WorkQueue
from batchtask_executor.complaints import Complaints
from batchtask_executor.jobs.job import BadJob
from batchtask_executor.jobs.tokens import MintedWorkload, NoToken

log = logging.getLogger(__name__)

THREADS: Final = 8
"""They hide the network's latency: two calls a task at 200 ms each make 20 tasks a second."""

TOKEN_TRIES: Final = 14
"""With the waits between them 4 to 5 minutes: so long a key may be unreadable."""

_AT_ONCE: Final = 2**31
"""A priority over every task's: an end that is asked for frees room."""


@dataclass(slots=True)
class _Write:
    """How far an order is. One thread has it at a time; is_cancelled and created need the lock."""

    order: Order
    identity: Identity
    draft: Draft | None = None
    may_exist: bool = False
    """Its creation was asked for."""
    created: BatchTask | None = None
    failures: int = 0
    without_token: int = 0
    """How many tries in a row there was no token."""
    told: type[Exception] | None = None
    is_cancelled: bool = False
    begun: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Cancel:
    """An end that is asked for."""

    name: str
    failures: int = 0


class Writer:
    """Creates tasks, each with its workload after it, and cancels them; one bad one stops no other.

    What the API server doesn't take for now is tried again until it does, or is cancelled.
    """

    def __init__(
        self, tasks: BatchTasks, *, backoff: Backoff | None = None, threads: int = THREADS
    ) -> None:
        self._tasks = tasks
        self._backoff = backoff or Backoff()
        self._queue: WorkQueue[_Write | _Cancel] = WorkQueue()
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self._complaints = Complaints(log)
        self._lock = threading.Lock()
        self._open: dict[str, _Write] = {}
        self._cancelling: set[str] = set()
        self._outages = 0
        self._outage_until = 0.0
        self._threads = [
            threading.Thread(target=self._run, name=f"batchtask-writer-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Start to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take up nothing more; returns at once, while what is under way ends."""
        self._queue.close()

    def join(self, timeout_seconds: float) -> None:
        """Wait, each thread for so long, until what is under way has ended."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_seconds)

    def submit(self, orders: Sequence[Order]) -> None:
        """Write these workloads; what becomes of each is reported."""
        writes = [_Write(order, order.identity) for order in orders]
        with self._lock:
            self._open |= {write.identity.name: write for write in writes}
        self._queue.put_all((write, write.order.priority) for write in writes)

    def cancel(self, name: str) -> None:
        """Have the task end: it isn't created if it wasn't yet, else it is asked to stop."""
        with self._lock:
            write = self._open.get(name)
            if write:
                write.is_cancelled = True
                if write.created is None and not write.order.is_there:
                    return  # the thread that has it sees this, whatever it is doing
                name = write.identity.name
        self._ask_to_stop(name)

    def drain(self, most: int = sys.maxsize) -> Sequence[Report]:
        """What became of orders, from the oldest report on that wasn't drained yet."""
        reports: list[Report] = []
        with contextlib.suppress(Empty):
            while len(reports) < most:
                reports.append(self._reports.get_nowait())
        return reports

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._work(item)
            except Exception as error:
                log.exception("A bug, or an odd executor_config, stopped a task's writing")
                self._give_up(item, f"{type(error).__name__}: the scheduler's log has the details")

    def _work(self, item: _Write | _Cancel) -> None:
        try:
            if isinstance(item, _Write):
                self._write(item)
            else:
                self._tasks.cancel(item.name)
                self._stop_asking(item)
        except (BadJob, Refused) as error:
            self._give_up(item, str(error))
        except Unavailable as error:
            self._put_off(item, error, retry_after=error.retry_after, is_general=error.is_general)
        except (TasksError, NoToken) as error:
            self._put_off(item, error)
        else:
            self._answered()

    def _write(self, write: _Write) -> None:
        """Go on with the order from where it stopped."""
        if write.is_cancelled:
            self._take_back(write)
            return
        draft = write.draft = write.draft or write.order.draft(write.identity)
        minted = self._minted(write, draft)  # first: without a token there is to be no task
        created = write.created or self._create(write, draft)
        if created is None:
            return
        self._tasks.put_workload(workload_secret(created, minted.content, minted.expires))
        self._close(write)
        took = time.monotonic() - write.begun
        self._reports.put(Written(write.identity.name, draft.notes, took))

    def _create(self, write: _Write, draft: Draft) -> BatchTask | None:
        """Create the task, or find that it was; None if that leaves nothing more to do now."""
        if write.is_cancelled:  # while its workload was made
            self._take_back(write)
            return None
        write.may_exist = True
        try:
            created = self._tasks.create(draft.task)
        except AlreadyExists:
            taken = self._tasks.get(draft.task.metadata.name)
            if taken is None:
                raise Conflict(f"BatchTask {draft.task} came and went") from None
            if not write.order.owns_name and not _is_same(taken, write.identity):
                self._rename(write)
                return None
            created = taken  # by us, and the reply was lost
        with self._lock:
            write.created = created
            is_cancelled = write.is_cancelled
        if not is_cancelled:
            return created
        self._close(write)
        self._ask_to_stop(write.identity.name)
        return None

    def _rename(self, write: _Write) -> None:
        """Take another name: this one is that of an earlier queuing of the same task instance."""
        old = write.identity
        new = replace(old, external_id=external_id_from(old.queuing.id))
        if new == old:
            raise Refused(f"BatchTask {new.name} is there already, and not of this queuing")
        write.identity = new
        write.draft, write.may_exist = None, False
        with self._lock:
            self._open[new.name] = write
        self._reports.put(Renamed(old.name, new.name))
        self._queue.put(write, write.order.priority)

    def _ask_to_stop(self, name: str) -> None:
        """Ask once, until it is answered: the tracker may want it again and again meanwhile."""
        with self._lock:
            if name in self._cancelling:
                return
            self._cancelling.add(name)
        self._queue.put(_Cancel(name), _AT_ONCE)

    def _stop_asking(self, cancel: _Cancel) -> None:
        with self._lock:
            self._cancelling.discard(cancel.name)

    def _minted(self, write: _Write, draft: Draft) -> MintedWorkload:
        try:
            minted = draft.mint()
        except NoToken as error:
            write.without_token += 1
            if write.without_token >= TOKEN_TRIES:
                raise Refused(str(error)) from error
            raise
        write.without_token = 0
        return minted

    def _take_back(self, write: _Write) -> None:
        """Drop what was cancelled; no answer to its creation is no proof that there is no task."""
        if write.may_exist and write.created is None:
            there = self._tasks.get(write.identity.name)
            if there is not None and _is_same(there, write.identity):
                self._ask_to_stop(write.identity.name)
        self._close(write)

    def _close(self, write: _Write) -> None:
        with self._lock:
            for name in {write.order.identity.name, write.identity.name}:
                if self._open.get(name) is write:
                    del self._open[name]

    def _give_up(self, item: _Write | _Cancel, message: str) -> None:
        if isinstance(item, _Cancel):
            self._stop_asking(item)
            log.error("Can't cancel BatchTask %s: %s", item.name, message)
            return
        self._close(item)
        name = item.identity.name
        if item.created is not None:
            self._ask_to_stop(name)
        self._reports.put(Rejected(name, message))

    def _put_off(
        self,
        item: _Write | _Cancel,
        error: TasksError | NoToken,
        *,
        retry_after: float | None = None,
        is_general: bool = False,
    ) -> None:
        """Try again later: this item, or, when any other would fare the same, all of them."""
        self._complaints.about(error, mended_by_people=isinstance(error, Forbidden | NotInstalled))
        delay = 0.0
        if is_general:
            self._hold(retry_after)
        else:
            item.failures += 1
            delay = self._backoff.seconds(item.failures, retry_after)
        if isinstance(item, _Write):
            self._tell(item, error)
            self._queue.put(item, item.order.priority, delay_seconds=delay)
        else:
            self._queue.put(item, _AT_ONCE, delay_seconds=delay)

    def _hold(self, retry_after: float | None) -> None:
        with self._lock:
            if time.monotonic() < self._outage_until:
                return  # another thread has just met the same
            self._outages += 1
            seconds = self._backoff.seconds(self._outages, retry_after)
            self._outage_until = time.monotonic() + seconds
        self._queue.pause(seconds)

    def _answered(self) -> None:
        if self._outages:  # else an item that waits alone would be talked of at each other's turn
            self._complaints.over()
            with self._lock:
                self._outages = 0

    def _tell(self, write: _Write, error: TasksError | NoToken) -> None:
        """Report why the order waits, once a reason; a hiccup that the next try ends is none."""
        is_hiccup = isinstance(error, Unavailable | Conflict | Gone | NoToken)
        if write.told is type(error) or (is_hiccup and write.failures + self._outages < 2):
            return
        write.told = type(error)
        self._reports.put(Delayed(write.identity.name, str(error)))


def _is_same(taken: BatchTask, identity: Identity) -> bool:
    found = queuing_of(taken)
    return found is not None and found.id == identity.queuing.id
