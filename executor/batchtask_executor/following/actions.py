"""What is done about a task that is followed: to the cluster, and in words to Airflow."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from batchtask_api import BatchTask
from batchtask_executor.cluster.cache import TaskCache
from batchtask_executor.cluster.manifest import Identity
from batchtask_executor.cluster.orders import Order
from batchtask_executor.cluster.writer import Writer
from batchtask_executor.following.inquiries import Inquiries, NotRemade, Remade, Remake
from batchtask_executor.following.metrics import Metrics
from batchtask_executor.following.milestones import Milestones
from batchtask_executor.following.outcome import End, Stopped, Succeeded
from batchtask_executor.following.rows import Row
from batchtask_executor.following.table import Entry, TaskTable
from batchtask_executor.following.words import Ended, Freed, Identified, Noted, Word
from batchtask_executor.guard import guard
from batchtask_executor.jobs.drafts import Drafts, TaskWorkload, airflow_identity
from batchtask_executor.jobs.tokens import queuing

log = logging.getLogger(__name__)

REMAKE_FOR: Final = timedelta(minutes=5)
"""So long a workload that can't be made anew, for want of a token for example, is tried again."""
REWRITE_AFTER: Final = timedelta(minutes=2)
"""The controller looks at a task that lacks a token once a minute."""


class Actions:
    """Carries out what was decided about a task; nothing here decides or waits."""

    def __init__(
        self,
        table: TaskTable,
        *,
        drafts: Drafts,
        writer: Writer,
        cache: TaskCache,
        inquiries: Inquiries,
        metrics: Metrics,
        executor_name: str | None,
        start_retries: int,
    ) -> None:
        self._table = table
        self._drafts = drafts
        self._writer = writer
        self._cache = cache
        self._inquiries = inquiries
        self._metrics = metrics
        self._executor_name = executor_name
        self._start_retries = start_retries
        self._words: list[Word] = []

    # -- words ------------------------------------------------------------------------------------

    def words(self) -> Sequence[Word]:
        """What is to be told to Airflow since the last call."""
        words, self._words = self._words, []
        return words

    def say(self, word: Word) -> None:
        """Have this told."""
        self._words.append(word)

    def tell(self, entry: Entry) -> None:
        """Tell by which id an entry goes."""
        if entry.key is not None and self._table.is_current(entry):
            self._words.append(Identified(entry.key, entry.external_id))

    def note(self, entry: Entry, event: str, text: str) -> None:
        """Tell the task's user something."""
        if entry.key is not None and self._table.is_current(entry):
            self._words.append(Noted(entry.key, event, text))

    def report(self, entry: Entry, end: End, now: datetime) -> None:
        """Tell of an end; the first time its user and the metrics too."""
        if entry.key is None:
            return
        if entry.reported_at is None:
            if not isinstance(end, Succeeded):
                self.note(entry, entry.event, end.info)
            guard(log, self._metrics.ended, end)
        entry.reported_at = now
        self._words.append(Ended(entry.key, end))

    # -- tasks ------------------------------------------------------------------------------------

    def task_of(self, entry: Entry) -> BatchTask | None:
        """The entry's task as the cluster shows it."""
        task = self._cache.get(entry.name)
        return task if task is not None and entry.is_shown_by(task) else None

    def order(self, entry: Entry, workload: TaskWorkload) -> Order:
        """Say what is to be written for an entry."""
        assert entry.queuing is not None  # noqa: S101 - for the type checker; all callers set it
        is_free = self._cache.get(entry.name) is None
        return Order(
            Identity(
                entry.external_id,
                entry.queuing,
                airflow_identity(workload.ti, self._executor_name),
                entry.restarts,
            ),
            workload.ti.priority_weight,
            partial(self._drafts.draft, workload),
            owns_name=is_free and (entry.is_adopted or entry.restarts > 0),
            is_there=self.task_of(entry) is not None,
        )

    def write(self, entry: Entry, row: Row | None, now: datetime) -> None:
        """Have an entry's task and workload written, unless they were lately."""
        is_recent = entry.written_at is not None and now - entry.written_at < REWRITE_AFTER
        if entry.is_written and not is_recent:
            self._remake(entry, row)

    def restart(self, entry: Entry, row: Row | None, info: str) -> None:
        """Have another task made for an entry whose job ended before its task started."""
        entry.restarts += 1
        entry.end = entry.seen_since = entry.written_at = None
        entry.is_adopted, entry.milestones = False, Milestones()
        most = self._start_retries
        text = f"its job failed before the task started; made again, {entry.restarts} of {most}"
        self.note(entry, "batchtask made again", f"{text}: {info}")
        self._remake(entry, row)

    def not_remade(self, entry: Entry, answer: NotRemade, now: datetime) -> None:
        """Leave it to the next look at its row, which has it made again if it is still wanted."""
        entry.is_written = True
        if entry.unmade_since is None:
            entry.unmade_since = now
            self.note(entry, "batchtask delayed", f"{answer.message}; will retry")
        elif now - entry.unmade_since >= REMAKE_FOR:
            entry.come_to(Stopped(answer.message))

    def remade(self, entry: Entry, answer: Remade) -> None:
        """Have written what was made anew."""
        entry.unmade_since = None
        if (workload := answer.workload) is not None:
            entry.queuing = entry.queuing or queuing(workload.token)
            self.submit([self.order(entry, workload)])
            return
        entry.is_written, entry.is_urgent = True, True  # nothing will be; its row has changed

    def _remake(self, entry: Entry, row: Row | None) -> None:
        entry.is_written = False
        under = row.external_id if row else entry.external_id
        self._inquiries.put([Remake(entry.external_id, entry.place, under)])

    def drop(self, entry: Entry) -> None:
        """Follow an entry no further, and end its task."""
        self.forget(entry)
        self.cancel(entry.name)

    def forget(self, entry: Entry) -> None:
        """Follow an entry no further."""
        key = self._table.end(entry)
        if key is not None and entry.reported_at is None:
            self._words.append(Freed(key))

    # -- the two ways to the cluster: what has to hold for every write belongs here ---------------

    def submit(self, orders: Sequence[Order]) -> None:
        """Have these written: all at once, since the threads compete with the scheduler's."""
        self._writer.submit(orders)

    def cancel(self, name: str) -> None:
        """Have a task end."""
        self._writer.cancel(name)
