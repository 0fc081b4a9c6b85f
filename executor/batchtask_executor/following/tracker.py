"""Follow each task from its queuing until Airflow has taken in its end; nothing here waits.

Threads ask Airflow's database, write to the cluster and read from it. What they bring is drained
here, `ledger.py` decides on it, and what Airflow is to be told comes out as words.
"""

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from datetime import datetime, timedelta
from typing import Final, assert_never

from batchtask_api import BatchTask
from batchtask_executor.cluster.cache import Change, TaskCache
from batchtask_executor.cluster.manifest import (
    external_id,
    external_id_from,
    named,
    queuing_of,
)
from batchtask_executor.cluster.orders import Delayed, Order, Rejected, Renamed, Report, Written
from batchtask_executor.cluster.writer import Writer
from batchtask_executor.following import ledger
from batchtask_executor.following.actions import Actions
from batchtask_executor.following.adoption import Adoptable
from batchtask_executor.following.errands import Errands
from batchtask_executor.following.inquiries import (
    Answer,
    Awaited,
    Inquiries,
    Look,
    Looked,
    NotRemade,
    Remade,
    Unread,
)
from batchtask_executor.following.ledger import Known, Terms, verdict
from batchtask_executor.following.metrics import Metrics
from batchtask_executor.following.milestones import Milestones
from batchtask_executor.following.outcome import (
    End,
    Outcome,
    Queued,
    Stopped,
    gone,
    outcome,
    vanished,
)
from batchtask_executor.following.rows import Row
from batchtask_executor.following.strays import Strays
from batchtask_executor.following.table import Entry, TaskTable
from batchtask_executor.following.words import Ended, Freed, Holds, Identified, Word
from batchtask_executor.guard import guard
from batchtask_executor.jobs.drafts import Drafts, TaskWorkload
from batchtask_executor.jobs.tokens import AirflowWorkload, queuing

log = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(seconds=15)
"""How often the rows of all tasks are read: so long a marked or cleared task goes unnoticed."""
REPEAT_AFTER: Final = timedelta(seconds=5)
"""Airflow takes an end in right after the heartbeat that told it; a row read before is no proof."""
AT_ONCE: Final = 1000
"""What a call takes in of reports, changes and answers each; the rest waits for the next one."""


class Tracker:
    """Knows which task stands for which task instance, and says what is to be done about it."""

    def __init__(
        self,
        table: TaskTable,
        terms: Terms,
        *,
        drafts: Drafts,
        writer: Writer,
        cache: TaskCache,
        inquiries: Inquiries,
        metrics: Metrics,
        executor_name: str | None,
        callback_key: Callable[[str], Hashable],
        at_once: int = AT_ONCE,
    ) -> None:
        self._table = table
        self._terms = terms
        self._drafts = drafts
        self._log_group = drafts.settings.log_group
        self._writer = writer
        self._cache = cache
        self._inquiries = inquiries
        self._metrics = metrics
        self._at_once = at_once
        self._actions = Actions(
            table,
            drafts=drafts,
            writer=writer,
            cache=cache,
            inquiries=inquiries,
            metrics=metrics,
            executor_name=executor_name,
            start_retries=terms.start_retries,
        )
        self._errands = Errands(callback_key)
        self._strays = Strays(cache, terms)
        self._adoptable: Adoptable | None = None
        self._swept = 0
        self._look_at: datetime | None = None

    # -- what Airflow hands over ------------------------------------------------------------------

    def enter(self, workload: TaskWorkload, key: Hashable) -> Order:
        """Take a task instance in, under an id that no other queuing has."""
        ti = workload.ti
        this_queuing = queuing(workload.token)
        had = external_id(ti.external_executor_id)
        chosen = had if had and had not in self._table else external_id_from(this_queuing.id)
        entry = Entry(
            chosen,
            (ti.dag_id, ti.task_id, ti.run_id, ti.map_index),
            key,
            this_queuing,
            try_number=ti.try_number,
            is_written=False,
        )
        order = self._actions.order(entry, workload)  # first: it may not be possible
        if chosen != had:
            entry.replaced = frozenset({had or ti.external_executor_id})
            self._actions.say(Identified(key, chosen))
        before = self._table.add(entry)
        if before and before.seen_since is None and self._actions.task_of(before) is None:
            self._actions.drop(before)  # it was never written, and nobody waits for it any more
        return order

    def enter_other(self, workload: AirflowWorkload, key: Hashable) -> Order:
        """Take a callback or a connection test in."""
        return self._errands.enter(workload, key, self._drafts)

    def revoke(self, key: Hashable, given: str | None) -> bool:
        """Have a task end that nothing is known of; False for one that waits for its turn."""
        if self._table.current(key) or (given and given in self._table):
            return False
        if given:
            for name in self._strays.names_of(given):
                self._actions.cancel(name)
        return True

    # -- what the threads bring -------------------------------------------------------------------

    def take_reports(self, now: datetime) -> None:
        """Take in what the writer has done."""
        for report in self._writer.drain(self._at_once):
            guard(log, self._metrics.took, report)
            guard(log, self._take_report, report, now)

    def sync(self, running: Set[Hashable], now: datetime) -> Sequence[Word]:
        """Take in all that is new, and ask about what comes next."""
        self.take_reports(now)
        complete = self._cache.last_complete
        changes = self._cache.drain(self._at_once)
        for change in changes:
            guard(log, self._take_change, change)
        if len(changes) < self._at_once:  # else what that list doesn't show may have ended well
            guard(log, self._sweep, complete)
        for entry in self._table.left(running):
            log.warning("Cancelling BatchTask %s: Airflow has ended its task instance", entry.name)
            self._actions.drop(entry)
        for name in self._errands.left(running):
            self._actions.cancel(name)
        self._adoptable = None
        for answer in self._inquiries.drain(self._at_once):
            guard(log, self._take_answer, answer, now)
        guard(log, self._ask, now)
        guard(log, self._metrics.cached, len(self._cache))
        return self.words()

    def words(self) -> Sequence[Word]:
        """What is to be told to Airflow since the last call."""
        return self._actions.words()

    def submit(self, orders: Sequence[Order]) -> None:
        """Have these written, which enter() has given."""
        self._actions.submit(orders)

    def _take_report(self, report: Report, now: datetime) -> None:
        entry = self._table.of_name(report.name)
        if entry is None:  # no task instance, or ended or cancelled meanwhile
            begun, get = self._cache.listings_begun, self._cache.get
            self._over(self._errands.take_report(report, begun, get))
            return
        match report:
            case Renamed(new_name=new_name):
                self._rename(entry, new_name)
            case Written(notes=notes):
                self._written(entry, notes, now)
            case Rejected(message=message):
                entry.event = "batchtask refused"
                entry.come_to(Stopped(message))
            case Delayed(message=message):
                self._actions.note(entry, "batchtask delayed", f"{message}; will retry")

    def _rename(self, entry: Entry, new_name: str) -> None:
        if found := named(new_name):
            self._table.rename(entry, found[0])
            self._actions.tell(entry)

    def _written(self, entry: Entry, notes: Iterable[str], now: datetime) -> None:
        is_new = entry.seen_since is None
        entry.is_written, entry.is_adopted, entry.written_at = True, False, now
        entry.seen_since = self._cache.listings_begun
        if is_new:
            where = self._drafts.settings.namespace
            text = f"BatchTask {entry.name}: see kubectl -n {where} get bt {entry.name}"
            self._actions.note(entry, "batchtask created", "; ".join([text, *notes]))
        if task := self._cache.get(entry.name):
            self._observe(task, self._outcome(task))

    def _take_change(self, change: Change) -> None:
        task = change.task
        now = vanished(task, self._log_group) if change.is_gone else self._outcome(task)
        self._observe(task, now)

    def _observe(self, task: BatchTask, now: Outcome) -> None:
        """Take in what a task has come to, if it is what we know by its name."""
        entry = self._table.of_name(task.metadata.name)
        if entry is None:
            self._over(self._errands.take_task(task, now))
        if entry is None or not entry.is_shown_by(task):
            return
        if isinstance(now, End):
            entry.come_to(now)
        for milestone in entry.milestones.passed(task, self._log_group):
            self._actions.note(entry, milestone.event, milestone.text)

    def _over(self, over: Ended | Freed | None) -> None:
        """Tell of the end of what is no task instance: Airflow always takes it in."""
        if isinstance(over, Ended):
            guard(log, self._metrics.ended, over.end)
        if over is not None:
            self._actions.say(over)

    def _outcome(self, task: BatchTask) -> Outcome:
        return outcome(task, self._log_group)

    def _sweep(self, complete: int) -> None:
        """End what a complete list, begun after it was written, doesn't show."""
        if complete == self._swept:
            return
        self._swept = complete
        self._look_at = None  # adopted ones wait for this
        for entry in self._table:
            if entry.seen_since is None or entry.seen_since >= complete:
                continue
            if self._actions.task_of(entry) is None:
                entry.come_to(gone(entry.name))
        for over in self._errands.sweep(complete, self._cache.get):
            self._over(over)

    # -- what is asked of Airflow's database ------------------------------------------------------

    def _ask(self, now: datetime) -> None:
        """Ask for the rows of what is urgent, and now and then for all."""
        is_due = self._look_at is None or now >= self._look_at
        if is_due:
            self._look_at = now + LOOK_EVERY
        looks = []
        for entry in self._table:
            if entry.is_asked or not (is_due or entry.is_urgent):
                continue
            if entry.reported_at and now - entry.reported_at < REPEAT_AFTER:
                continue
            entry.asked_about, entry.is_urgent = entry.end, False
            looks.append(Look(entry.external_id, entry.place))
        strays = self._strays.looks(self._table, now)
        self._inquiries.put([*looks, *strays, *self._errands.questions()])

    def _take_answer(self, answer: Answer, now: datetime) -> None:
        entry = self._table.get(answer.about)
        match answer:
            case Awaited(about=about, is_awaited=is_awaited):
                self._over(self._errands.take_answer(about, is_awaited=is_awaited))
            case Looked(row=row) if entry is None:
                self._stray(answer.about, row, now)
            case Looked(row=row) if entry is not None:
                self._looked(entry, row, now)
            case Unread(about=about) if entry is None:
                self._strays.unread(about)
            case Unread() if entry is not None:
                entry.was_answered()
            case Remade() if entry is not None:
                self._actions.remade(entry, answer)
            case NotRemade() if entry is not None:
                self._actions.not_remade(entry, answer, now)

    def _looked(self, entry: Entry, row: Row | None, now: datetime) -> None:
        if not entry.was_answered():
            entry.is_urgent = True
        elif entry.key is not None or self._resolve(entry, row):
            self._apply(entry, row, now)

    def _resolve(self, entry: Entry, row: Row | None) -> bool:
        """Find out what was adopted; whether its row can be judged by already."""
        if row is None or row.external_id != entry.external_id:
            self._table.end(entry)
            return False
        if not self._cache.last_complete:
            return False  # what is in the cluster isn't known yet
        entry.try_number = row.try_number
        if self._table.resolve(entry, row.key):
            self._actions.say(Holds(row.key))
        if self._adoptable is None:
            self._adoptable = Adoptable(self._cache.known())
        task = self._adoptable.find(row)
        found = named(task.metadata.name) if task else None
        if task is None or found is None:
            return True
        if found[0] != entry.external_id:
            if found[0] in self._table:
                return True
            self._table.rename(entry, found[0])
            self._actions.tell(entry)
        entry.restarts, entry.queuing = found[1], queuing_of(task)
        entry.seen_since = self._cache.listings_begun
        entry.milestones = Milestones.since(task)
        self._observe(task, self._outcome(task))
        return entry.end is None

    # -- what is done about it --------------------------------------------------------------------

    def _apply(self, entry: Entry, row: Row | None, now: datetime) -> None:
        known = self._known(entry)
        if entry.end is None and isinstance(known.seen, End):
            entry.come_to(known.seen)  # after the row was read: that is to be read again
            return
        decided = verdict(row, known, self._terms, now)
        if entry.is_written and not isinstance(decided, ledger.Write):
            entry.unmade_since = None
        if isinstance(decided, ledger.Hold):
            entry.unwanted_since = entry.unwanted_since or now
            return
        entry.unwanted_since = None
        match decided:
            case ledger.Keep():
                pass
            case ledger.Tell():
                self._actions.tell(entry)
            case ledger.Write():
                self._actions.write(entry, row, now)
            case ledger.Restart(info):
                self._actions.restart(entry, row, info)
            case ledger.Report(end):
                self._actions.report(entry, end, now)
            case _:
                self._let_go(entry, decided, now)

    def _let_go(
        self,
        entry: Entry,
        decided: ledger.TimeOut | ledger.Stop | ledger.Cancel | ledger.Free,
        now: datetime,
    ) -> None:
        match decided:
            case ledger.TimeOut(info):
                entry.end = Stopped(info)
                self._actions.cancel(entry.name)
                self._actions.report(entry, entry.end, now)
            case ledger.Stop():
                entry.unwanted_since = now
                self._actions.cancel(entry.name)
            case ledger.Cancel():
                log.info("Cancelling BatchTask %s: Airflow waits for it no more", entry.name)
                self._actions.drop(entry)
            case ledger.Free():
                self._actions.forget(entry)
            case _:
                assert_never(decided)

    def _known(self, entry: Entry) -> Known:
        return Known(
            entry.known_ids,
            entry.external_id,
            entry.try_number,
            is_current=self._table.is_current(entry),
            seen=self._seen(entry),
            is_adopted=entry.is_adopted,
            restarts=entry.restarts,
            unwanted_since=entry.unwanted_since,
        )

    def _seen(self, entry: Entry) -> Outcome | None:
        if entry.end is not None:
            return entry.end
        if task := self._actions.task_of(entry):
            return self._outcome(task)
        if not entry.is_written:
            return Queued()
        # What was written may be submitted before the watch shows it.
        return None if entry.seen_since is None else Queued(is_submitted=True)

    def _stray(self, name: str, row: Row | None, now: datetime) -> None:
        """Deal with a task of this instance that isn't followed here."""
        if self._strays.is_to_end(name, row, now):
            log.info("Cancelling BatchTask %s: no task instance waits for it", name)
            self._actions.cancel(name)
