"""This instance's tasks as last seen: one thread lists and watches them, readers never wait."""

import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from batchtask_api import BatchTask
from batchtask_executor.background import Background
from batchtask_executor.backoff import Backoff
from batchtask_executor.cluster.tasks import (
    BatchTasks,
    Bookmark,
    Deleted,
    Event,
    Forbidden,
    Gone,
    Listing,
    NotInstalled,
    Seen,
    TasksError,
    Unavailable,
)
from batchtask_executor.complaints import Complaints

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """A task that is new, changed, or gone; several changes of one task are told as the last."""

    task: BatchTask
    """Its state now, or the last one before it went."""
    is_gone: bool = False


class TaskCache(Background):
    """Follows the tasks by list and watch, through restarts and outages of the API server.

    Once it is told to stop, a watch that waits ends when the port is closed.
    """

    def __init__(self, tasks: BatchTasks, *, backoff: Backoff | None = None) -> None:
        super().__init__("cache")
        self._tasks = tasks
        self._backoff = backoff or Backoff()
        self._complaints = Complaints(log)
        self._lock = threading.Lock()
        self._known: dict[str, BatchTask] = {}
        self._changes: dict[str, Change] = {}
        self._listings_begun = 0
        self._last_complete = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, name: str) -> BatchTask | None:
        """The task as last seen."""
        return self._known.get(name)

    def known(self) -> Sequence[BatchTask]:
        """All tasks as last seen."""
        with self._lock:
            return list(self._known.values())

    def drain(self, most: int = sys.maxsize) -> Sequence[Change]:
        """Of the tasks that changed since they were last drained, those that wait longest."""
        with self._lock:
            names = list(islice(self._changes, most))
            return [self._changes.pop(name) for name in names]

    @property
    def listings_begun(self) -> int:
        """How many complete lists were asked for so far."""
        return self._listings_begun

    @property
    def last_complete(self) -> int:
        """Which of these lists was the last to come in whole; 0 while none did.

        A task that was there when a list was begun, and isn't known once that list or a later
        one has come in, is gone.
        """
        return self._last_complete

    def _run(self) -> None:
        since: str | None = None
        failures = 0
        while not self._stopped.is_set():
            try:
                if since is None:
                    since = self._list()
                for event in self._tasks.watch(since):
                    self._take(event)
                    since = event.resource_version
                    failures = 0
                self._stopped.wait(self._backoff.first_seconds)
            except Gone as error:
                if since is None:  # the list itself
                    failures += 1
                    self._wait(error, failures)
                since = None
            except TasksError as error:
                if not (isinstance(error, Unavailable) and error.is_general):
                    since = None
                failures += 1
                self._wait(error, failures)
            except Exception:
                log.exception("A bug stopped the watch over the BatchTasks; it begins anew")
                since = None
                failures += 1
                self._stopped.wait(self._backoff.seconds(failures))

    def _wait(self, error: TasksError, failures: int) -> None:
        if self._stopped.is_set():
            return
        self._complaints.about(error, mended_by_people=isinstance(error, Forbidden | NotInstalled))
        retry_after = error.retry_after if isinstance(error, Unavailable) else None
        self._stopped.wait(self._backoff.seconds(failures, retry_after))

    def _list(self) -> str:
        self._listings_begun += 1
        number = self._listings_begun
        listing = self._tasks.list()
        with self._lock:
            self._compare(listing)
            self._last_complete = number
        return listing.resource_version

    def _compare(self, listing: Listing) -> None:
        """Turn what differs from what is known into changes."""
        for task in listing.tasks:
            known = self._known.get(task.metadata.name)
            if known is None or known.metadata.resource_version != task.metadata.resource_version:
                self._put(task)
        for name in self._known.keys() - listing.names:
            self._drop(self._known[name])

    def _take(self, event: Event) -> None:
        match event:
            case Seen(task):
                with self._lock:
                    self._put(task)
            case Deleted(task):
                if self._is_relabelled(task):
                    return
                with self._lock:
                    self._drop(task)
            case Bookmark():
                self._complaints.over()  # the watch is open

    def _is_relabelled(self, task: BatchTask) -> bool:
        """Whether it only lost our label, which a watch tells as a deletion."""
        if task.is_deleting:
            return False
        found = self._tasks.get(task.metadata.name)
        if found is None or found.metadata.uid != task.metadata.uid:
            return False
        log.error(
            "BatchTask %s lost its instance label, so its end won't be seen: put the label back",
            task,
        )
        return True

    def _put(self, task: BatchTask) -> None:
        self._known[task.metadata.name] = task
        self._changes[task.metadata.name] = Change(task)

    def _drop(self, task: BatchTask) -> None:
        self._known.pop(task.metadata.name, None)
        self._changes[task.metadata.name] = Change(task, is_gone=True)
