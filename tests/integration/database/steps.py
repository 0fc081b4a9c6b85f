"""How far a task instance is: the steps that the tests here begin with, and what they look at."""

from collections.abc import Sequence
from typing import Any

from airflow.executors.local_executor import LocalExecutor
from airflow.models import Log
from airflow.models.taskinstance import clear_task_instances
from sqlalchemy import select

from batchtask_api import Phase
from batchtask_executor.cluster.manifest import task_name
from fakes.airflow_database import AirflowDatabase, Scheduler
from fakes.tasks import FakeBatchTasks
from unit.executor.following import SUBMITTED

EndStatus = dict[str, Any]
SUCCESS: EndStatus = {"phase": Phase.SUCCEEDED}


def a_local_executor() -> Any:
    """The default one, beside which ours is."""
    return LocalExecutor(parallelism=1)  # type: ignore[no-untyped-call]


def name_of(database: AirflowDatabase, task_id: str = "load", restarts: int = 0) -> str:
    found = database.of(task_id).external_executor_id
    assert found
    return task_name(found, restarts)


def queued(scheduler: Scheduler, cluster: FakeBatchTasks, task_id: str = "load") -> str:
    """Queue what is scheduled, and return the name of the task once AWS Batch has its job."""
    scheduler.queue()
    name = name_of(scheduler.database, task_id)
    scheduler.loop_until(lambda: name in cluster.secrets)
    cluster.set_status(name, **SUBMITTED)
    return name


def running(scheduler: Scheduler, cluster: FakeBatchTasks, task_id: str = "load") -> str:
    """Queue what is scheduled, and have its job start the task."""
    name = queued(scheduler, cluster, task_id)
    run_on(scheduler, cluster, name, task_id)
    return name


def run_on(scheduler: Scheduler, cluster: FakeBatchTasks, name: str, task_id: str = "load") -> None:
    """Have a job start its task."""
    cluster.set_status(name, phase=Phase.RUNNING)
    scheduler.database.start(task_id)


def succeed(scheduler: Scheduler, cluster: FakeBatchTasks, name: str) -> None:
    """Have a job run its task to a good end, and the executor take it in."""
    run_on(scheduler, cluster, name)
    scheduler.database.change(state="success")
    cluster.set_status(name, **SUCCESS)
    is_settled(scheduler)


def is_settled(scheduler: Scheduler, entries: int = 0) -> None:
    """Loop until the executor holds nothing more."""
    scheduler.loop_until(lambda: len(scheduler.executor._table) == entries)
    scheduler.loop()


def clear(database: AirflowDatabase) -> None:
    """Clear the task instance, as a user does."""
    with database.session() as session:
        ti = session.merge(database.of())
        clear_task_instances([ti], session)


def events(database: AirflowDatabase) -> Sequence[tuple[str, str | None]]:
    with database.session() as session:
        return [(each.event, each.extra) for each in session.scalars(select(Log))]
