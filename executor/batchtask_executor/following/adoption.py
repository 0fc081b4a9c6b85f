"""Find the task that a row was queued for, when another scheduler has queued it."""

from collections import defaultdict
from collections.abc import Iterable

from batchtask_api import BatchTask
from batchtask_executor.cluster.manifest import named, queuing_of
from batchtask_executor.following.rows import Row


class Adoptable:
    """The cluster's tasks, by what a row knows of its own."""

    def __init__(self, tasks: Iterable[BatchTask]) -> None:
        self._by_id: defaultdict[str, list[BatchTask]] = defaultdict(list)
        self._by_row: defaultdict[str, list[BatchTask]] = defaultdict(list)
        for task in tasks:
            if found := named(task.metadata.name):
                self._by_id[found[0]].append(task)
            if task.spec.airflow and task.spec.airflow.task_instance_id:
                self._by_row[task.spec.airflow.task_instance_id].append(task)

    def find(self, row: Row) -> BatchTask | None:
        """Find the last task of the row's queuing.

        The row's id may be an earlier queuing's, whose task may still be there: the scheduler that
        chose another one died before Airflow took it in. The times tell, by one clock.
        """
        named_so = [
            task for task in self._by_id.get(row.external_id or "", ()) if _is_of(task, row)
        ]
        if named_so:
            return max(named_so, key=_restarts)
        dated = [task for task in self._by_row.get(row.ti_id, ()) if is_dated(task, row)]
        return max(dated, key=_when, default=None)


def _is_of(task: BatchTask, row: Row) -> bool:
    made_by = queuing_of(task)
    return made_by is not None and made_by.is_since(row.queued_at)


def is_dated(task: BatchTask, row: Row) -> bool:
    """Whether a task of the row's task instance was made when the row was queued, by its date."""
    made_by = queuing_of(task)
    has_dates = made_by is not None and made_by.at is not None and row.queued_at is not None
    return has_dates and _is_of(task, row)


def _restarts(task: BatchTask) -> int:
    found = named(task.metadata.name)
    return found[1] if found else 0


def _when(task: BatchTask) -> tuple[float, int]:
    made_by = queuing_of(task)
    at = made_by.at.timestamp() if made_by and made_by.at else 0.0
    return at, _restarts(task)
