"""Airflow's task instances in its database, read over a session of one's own."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

from airflow.executors.workloads import ExecuteTask
from airflow.models.callback import ACTIVE_STATES, Callback
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select, tuple_
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from batchtask_api import AirflowIdentity
from batchtask_executor.cluster.manifest import external_id
from batchtask_executor.following.rows import Place, Row, Rows, RowsUnavailable
from batchtask_executor.redaction import presentable

_CHUNK: Final = 500
"""Rows a SELECT: four parameters each, and the least that a database takes is 2,000 or so."""

_PLACE: Final = (
    TaskInstance.dag_id,
    TaskInstance.task_id,
    TaskInstance.run_id,
    TaskInstance.map_index,
)
_COLUMNS: Final = (
    TaskInstance.id,
    *_PLACE,
    TaskInstance.try_number,
    TaskInstance.state,
    TaskInstance.external_executor_id,
    TaskInstance.queued_by_job_id,
    TaskInstance.queued_dttm,
    TaskInstance.last_heartbeat_at,
    TaskInstance.pid,
)

_T = TypeVar("_T", str, Place)

Sessions = Callable[[], AbstractContextManager[Session]]


class DatabaseRows:
    """The rows, read and never locked: the scheduler's transactions are not waited for."""

    def __init__(
        self,
        generator: Callable[[], Any],
        key_of: Callable[[AirflowIdentity], Hashable],
        sessions: Sessions | None = None,
    ) -> None:
        """Read over such sessions, Airflow's own by default.

        Args:
            generator: gives Airflow's JWTGenerator.
            key_of: makes the key by which the scheduler speaks of a task instance.
            sessions: opens a session.
        """
        self._generator = generator
        self._key_of = key_of
        self._sessions = sessions or partial(create_session, scoped=False)

    def find(self, places: Collection[Place]) -> Mapping[Place, Row]:
        """Read these rows; see the port."""
        found: dict[Place, Row] = {}
        for chunk in _chunks(places):
            with self._reading() as session:
                chosen = select(*_COLUMNS).where(tuple_(*_PLACE).in_(chunk))
                for each in session.execute(chosen):
                    row = self._row(each)
                    found[each.dag_id, each.task_id, each.run_id, each.map_index] = row
        return found

    def awaited(self, callbacks: Collection[str]) -> Collection[str]:
        """Read the states of these callbacks; see the port."""
        found: set[str] = set()
        for chunk in _chunks(callbacks):
            with self._reading() as session:
                chosen = select(Callback.id).where(
                    Callback.id.in_([UUID(each) for each in chunk]),
                    Callback.state.in_(ACTIVE_STATES),
                )
                found.update(map(str, session.scalars(chosen)))
        return found

    def workload(self, place: Place, external_id: str | None) -> ExecuteTask | None:
        """Make it anew, with a token of the scheduler's kind; see the port."""
        with self._reading() as session:
            chosen = (
                select(TaskInstance)
                .where(tuple_(*_PLACE).in_([place]))
                .options(joinedload(TaskInstance.dag_model), joinedload(TaskInstance.dag_run))
            )
            ti = session.scalars(chosen).unique().one_or_none()
            if ti is None or ti.state != TaskInstanceState.QUEUED:
                return None
            if _usual(ti.external_executor_id) != external_id:
                return None
            return ExecuteTask.make(ti, generator=self._generator())

    def _row(self, each: Any) -> Row:
        airflow = AirflowIdentity(
            dag_id=each.dag_id,
            task_id=each.task_id,
            run_id=each.run_id,
            map_index=each.map_index,
            try_number=each.try_number,
            task_instance_id=str(each.id),
        )
        return Row(
            ti_id=str(each.id),
            key=self._key_of(airflow),
            try_number=each.try_number,
            state=each.state,
            external_id=_usual(each.external_executor_id),
            queued_by=each.queued_by_job_id,
            queued_at=each.queued_dttm,
            heartbeat_at=each.last_heartbeat_at,
            pid=each.pid,
        )

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with self._sessions() as session:
                yield session
        except DataError:
            raise  # it is about a value that was asked for, and not about the database
        except SQLAlchemyError as error:
            why = presentable(str(error))
            raise RowsUnavailable(f"can't read Airflow's task instances: {why}") from error


def _chunks(of: Collection[_T]) -> Iterator[Sequence[_T]]:
    left = iter(sorted(of))
    while chunk := list(islice(left, _CHUNK)):
        yield chunk


def _usual(given: str | None) -> str | None:
    return external_id(given) or given


_: type[Rows] = DatabaseRows
