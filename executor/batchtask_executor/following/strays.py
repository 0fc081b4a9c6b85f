"""Tasks of this instance that no scheduler here follows: whose end nobody would ask for."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from batchtask_api import BatchTask
from batchtask_executor.cluster.cache import TaskCache
from batchtask_executor.cluster.manifest import named, task_name
from batchtask_executor.following import ledger
from batchtask_executor.following.adoption import is_dated
from batchtask_executor.following.inquiries import Look
from batchtask_executor.following.ledger import HANDOVER, Known, Terms
from batchtask_executor.following.outcome import outcome
from batchtask_executor.following.rows import Place, Row
from batchtask_executor.following.table import TaskTable

LOOK_EVERY: Final = timedelta(seconds=60)


class Strays:
    """Finds them: most are another scheduler's, and one that died may have left some.

    What another scheduler follows is left alone, unless its row is gone, finished or queued anew
    for longer than an id takes to get to Airflow.
    """

    def __init__(self, cache: TaskCache, terms: Terms) -> None:
        self._cache = cache
        self._terms = terms
        self._look_at: datetime | None = None
        self._unwanted_since: dict[str, datetime] = {}
        self._asked: set[str] = set()
        """Those about whose rows a question is under way: the database may be down for hours."""

    def names_of(self, external_id: str) -> Collection[str]:
        """The tasks of this id: its first, which may not be seen yet, and those made again."""
        first = task_name(external_id)
        return {first} | {
            task.metadata.name
            for task in self._cache.known()
            if task.metadata.name.startswith(first) and _is_live(task)
        }

    def looks(self, table: TaskTable, now: datetime) -> Iterator[Look]:
        """Ask about the rows of all, now and then."""
        if self._look_at is not None and now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        live = {task.metadata.name: task for task in self._cache.known() if _is_stray(task, table)}
        self._unwanted_since = {
            name: since for name, since in self._unwanted_since.items() if name in live
        }
        for name in live.keys() - self._asked:
            self._asked.add(name)
            yield Look(name, _place(live[name]))

    def unread(self, name: str) -> None:
        """Take note that its row couldn't be read: it is asked for again."""
        self._asked.discard(name)

    def is_to_end(self, name: str, row: Row | None, now: datetime) -> bool:
        """Whether one is to be cancelled, by its row."""
        self._asked.discard(name)
        task, found = self._cache.get(name), named(name)
        if task is None or task.spec.airflow is None or found is None:
            return False
        since = self._unwanted_since.get(name)
        ids: frozenset[str | None] = frozenset({found[0]})
        if row is not None and _is_of(task, row):
            ids |= {row.external_id}
        known = Known(
            ids,
            found[0],
            task.spec.airflow.try_number,
            seen=outcome(task),
            unwanted_since=since,
        )
        decided = ledger.verdict(row, known, self._terms, now)
        if not isinstance(decided, ledger.Hold | ledger.Cancel):
            self._unwanted_since.pop(name, None)
            return False
        self._unwanted_since.setdefault(name, now)
        is_sure = since is not None and now - since >= HANDOVER
        return is_sure and isinstance(decided, ledger.Cancel)


def _is_stray(task: BatchTask, table: TaskTable) -> bool:
    found = named(task.metadata.name)
    if found is None or task.spec.airflow is None or found[0] in table:
        return False
    return _is_live(task)


def _is_live(task: BatchTask) -> bool:
    return not (task.status.phase.is_finished or task.spec.cancel or task.is_deleting)


def _is_of(task: BatchTask, row: Row) -> bool:
    """Whether it is the row's, under an id that Airflow hasn't taken in from its scheduler yet."""
    airflow = task.spec.airflow
    is_its = airflow is not None and airflow.task_instance_id == row.ti_id
    return is_its and is_dated(task, row)


def _place(task: BatchTask) -> Place:
    airflow = task.spec.airflow
    assert airflow is not None  # noqa: S101 - for the type checker
    return airflow.dag_id, airflow.task_id, airflow.run_id, airflow.map_index
