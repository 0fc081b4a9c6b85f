"""The port to Airflow's task instances: the rows of its database, as far as the ledger reads them.

Nothing here writes. What a row says is true for the moment of the read.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from batchtask_executor.jobs.drafts import TaskWorkload

Place = tuple[str, str, str, int]
"""DAG, task, run and map index: one row; its id changes when it is cleared."""


class RowsUnavailable(Exception):
    """The database gave no answer; the text has its words."""


@dataclass(frozen=True, slots=True)
class Row:
    """A task instance as Airflow has it."""

    ti_id: str
    key: Hashable
    """Airflow's TaskInstanceKey."""
    try_number: int
    state: str | None
    external_id: str | None
    """Airflow's external_executor_id; a UUID in its usual form."""
    queued_by: int | None
    """The scheduler's job that queued or adopted it."""
    queued_at: datetime | None = None
    heartbeat_at: datetime | None = None
    pid: int | None = None
    """Of the process that ran it last."""

    @property
    def has_started(self) -> bool:
        """Whether a process may have run it since it was queued."""
        if self.pid is None:
            return False
        if self.queued_at is None or self.heartbeat_at is None:
            return True
        return self.heartbeat_at >= self.queued_at


class Rows(Protocol):
    """Reads task instances; used by one thread. Every method may raise RowsUnavailable.

    Whatever else it raises is due to a place that it was asked for: others can be read.
    """

    def find(self, places: Collection[Place]) -> Mapping[Place, Row]:
        """Read these rows; those that aren't there are left out."""

    def awaited(self, callbacks: Collection[str]) -> Collection[str]:
        """Of the callbacks of these ids, all UUIDs, those whose end Airflow waits for."""

    def workload(self, place: Place, external_id: str | None) -> TaskWorkload | None:
        """Make anew what the scheduler handed over; None unless it is queued under that id."""
