"""Where Airflow's id of a task instance is stale or null, and where it is new, over a database."""

from airflow.models.taskinstancehistory import TaskInstanceHistory
from sqlalchemy import select

from batchtask_api import Phase
from fakes.airflow_database import AirflowDatabase
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import Begin, StartScheduler
from integration.database.steps import (
    a_local_executor,
    clear,
    is_settled,
    name_of,
    queued,
    run_on,
    running,
)
from unit.executor.following import SUBMITTED, failed


def test_an_executor_named_by_its_class_beside_another_gets_ids_of_its_own(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", executor="BatchTaskExecutor")
    scheduler = start(database, a_local_executor(), alias="batchtask")
    scheduler.queue()  # Airflow gives no id on this path
    scheduler.loop_until(lambda: cluster.secrets)
    (first,) = cluster.secrets
    assert name_of(database) == first
    cluster.set_status(first, **SUBMITTED)
    run_on(scheduler, cluster, first)
    database.change(state="up_for_reschedule")
    database.change(state="scheduled")
    scheduler.queue()  # it has the first one's id still
    scheduler.loop_until(lambda: len(cluster.secrets) == 2)
    scheduler.loop_until(lambda: name_of(database) != first)

    cluster.set_status(first, phase=Phase.SUCCEEDED)

    is_settled(scheduler, entries=1)
    assert database.state() == "queued"
    database.start()
    cluster.set_status(name_of(database), **failed())
    scheduler.loop_until(lambda: database.state() == "failed")


def test_an_executor_named_by_its_alias_beside_another_is_given_ids(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", executor="batchtask")
    scheduler = start(database, a_local_executor(), alias="batchtask")
    scheduler.queue()
    name = name_of(database)

    scheduler.loop_until(lambda: name in cluster.secrets)

    scheduler.look()
    assert name_of(database) == name


def test_a_cleared_tasks_next_job_is_another(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, first = begin(running)
    clear(database)
    cluster.set_status(first, phase=Phase.SUCCEEDED)
    scheduler.loop_until(lambda: database.state() is None)
    database.change(state="scheduled", try_number=2)

    second = queued(scheduler, cluster)

    assert second != first
    scheduler.look()
    assert len(scheduler.executor._table) == 1
    assert database.state() == "queued"
    with database.session() as session:
        assert session.scalars(select(TaskInstanceHistory)).one().try_number == 1
