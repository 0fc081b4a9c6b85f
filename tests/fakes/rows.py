"""A stateful stand-in for Airflow's task instances, with what its scheduler does to them."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from batchtask_executor.cluster.manifest import external_id
from batchtask_executor.following.rows import Place, Row, Rows, RowsUnavailable
from batchtask_executor.jobs.drafts import TaskWorkload
from batchtask_executor.jobs.tokens import queuing

_AWAITED = ("pending", "queued", "running")
_WAITS = ("scheduled", "queued", "running", "restarting")


@dataclass
class FakeRows:
    """Task instances by their place. `down` makes every request fail with that error.

    A request for one of the places in `bad`, whatever else it asks for, meets a ValueError.
    """

    down: RowsUnavailable | None = None
    rows: dict[Place, Row] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    bad: set[Place] = field(default_factory=set)
    callbacks: dict[str, str] = field(default_factory=dict)
    """The states of callbacks, by their ids."""
    remake: Callable[[Any], TaskWorkload] | None = None
    """Makes a workload like the given one, with a token of its own."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._workloads: dict[Place, Any] = {}

    # -- the port ---------------------------------------------------------------------------------

    def find(self, places: Collection[Place]) -> Mapping[Place, Row]:
        self._arrive("find")
        with self._lock:
            if found := self.bad & set(places):
                raise ValueError(f"can't read {found}")
            return {place: self.rows[place] for place in places if place in self.rows}

    def awaited(self, callbacks: Collection[str]) -> Collection[str]:
        self._arrive("awaited")
        with self._lock:
            return {each for each in callbacks if self.callbacks.get(each) in _AWAITED}

    def workload(self, place: Place, external_id: str | None) -> TaskWorkload | None:
        self._arrive("workload")
        with self._lock:
            row = self.rows.get(place)
            if row is None or row.state != "queued" or row.external_id != external_id:
                return None
            assert self.remake
            return self.remake(self._workloads[place])

    # -- what Airflow does ------------------------------------------------------------------------

    def queue(
        self, workload: Any, queued_by: Any, now: datetime | None = None, key: Any = None
    ) -> None:
        """Queue it, as its workload says; the scheduler speaks of it by `key`."""
        ti = workload.ti
        place = ti.key.primary
        given = ti.external_executor_id
        with self._lock:
            before = self.rows.get(place)
            self._workloads[place] = workload
            self.rows[place] = Row(
                ti_id=str(ti.id),
                key=key or ti.key,
                try_number=ti.try_number,
                state="queued",
                external_id=external_id(given) or given,
                queued_by=queued_by,
                # As with Airflow, never after the token was made.
                queued_at=now or queuing(workload.token).at or datetime.now(UTC),
                pid=before.pid if before else None,
                heartbeat_at=before.heartbeat_at if before else None,
            )

    def start(self, ti: Any) -> None:
        """Do as the execution API when the job's process starts the task."""
        self.change(ti, state="running", pid=7, heartbeat_at=datetime.now(UTC))

    def change(self, ti: Any, **changes: Any) -> None:
        """Change a row."""
        with self._lock:
            self.rows[ti.key.primary] = replace(self.rows[ti.key.primary], **changes)

    def remove(self, ti: Any) -> None:
        """Remove a row, as its run's deletion does."""
        with self._lock:
            del self.rows[ti.key.primary]

    def of(self, ti: Any) -> Row:
        """The row as it is."""
        return self.rows[ti.key.primary]

    def take(self, key: Any, state: str | None, info: Any, job_id: Any) -> None:
        """Do as the scheduler with an executor's event."""
        with self._lock:
            if str(key) in self.callbacks:
                self.callbacks[str(key)] = state or ""
                return
            place, row = next(
                (each for each in self.rows.items() if each[1].key == key), (None, None)
            )
            if row is None or place is None:
                return
            if state in ("running", "queued"):
                changed = replace(row, external_id=info)
            elif row.state not in _WAITS or row.queued_by != job_id:
                return
            elif row.state == "restarting" and state == "success":
                changed = replace(row, state=None)
            else:
                changed = replace(row, state="failed")
            self.rows[place] = changed

    def _arrive(self, operation: str) -> None:
        with self._lock:
            self.requests[operation] += 1
        if self.down:
            raise self.down


_: type[Rows] = FakeRows
