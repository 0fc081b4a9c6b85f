"""What Airflow's own scheduler makes of the executor's words, over a real database."""

import json
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from airflow.executors.local_executor import LocalExecutor
from airflow.models import Log
from airflow.models.taskinstance import clear_task_instances
from airflow.models.taskinstancehistory import TaskInstanceHistory
from sqlalchemy import select

from batchtask_api import Phase
from batchtask_executor.cluster.manifest import task_name
from fakes.airflow_database import AirflowDatabase, Scheduler
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import StartScheduler
from unit.executor.following import SUBMITTED, failed

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
    cluster.set_status(name, phase=Phase.RUNNING)
    scheduler.database.start(task_id)
    return name


def is_settled(scheduler: Scheduler, entries: int = 0) -> None:
    """Loop until the executor holds nothing more."""
    scheduler.loop_until(lambda: len(scheduler.executor._table) == entries)
    scheduler.loop()


def events(database: AirflowDatabase) -> Sequence[tuple[str, str | None]]:
    with database.session() as session:
        return [(each.event, each.extra) for each in session.scalars(select(Log))]


# -- a late end of an earlier job ------------------------------------------------------------------


@pytest.mark.parametrize("end", [SUCCESS, failed()])
def test_airflow_fails_a_good_task_when_it_is_told_late(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks, end: EndStatus
) -> None:
    """What the other tests here rest on: Airflow itself doesn't tell a late word from a new one."""
    database.write_run("load")
    scheduler = start(database)
    running(scheduler, cluster)
    database.change(state="scheduled")

    word = scheduler.executor.success if end is SUCCESS else scheduler.executor.fail
    word(database.of().key)
    scheduler.loop()

    assert database.state() == "failed"


REQUEUINGS: list[list[dict[str, Any]]] = [
    [{"state": "deferred"}, {"state": "scheduled", "next_method": "execute_complete"}],
    [{"state": "up_for_reschedule"}, {"state": "scheduled"}],
    [{"state": "scheduled", "queued_dttm": None, "queued_by_job_id": None}],
]


@pytest.mark.parametrize("end", [SUCCESS, failed()])
@pytest.mark.parametrize("steps", REQUEUINGS, ids=["deferred", "rescheduled", "requeued"])
def test_a_late_end_of_an_earlier_job_changes_nothing_before_it_is_queued_again(
    database: AirflowDatabase,
    start: StartScheduler,
    cluster: FakeBatchTasks,
    steps: list[dict[str, Any]],
    end: EndStatus,
) -> None:
    database.write_run("load")
    scheduler = start(database)
    name = running(scheduler, cluster)
    for step in steps:
        database.change(**step)

    cluster.set_status(name, **end)

    is_settled(scheduler)
    assert database.state() == "scheduled"
    assert not scheduler.executor.running


@pytest.mark.parametrize("end", [SUCCESS, failed()])
@pytest.mark.parametrize("steps", REQUEUINGS, ids=["deferred", "rescheduled", "requeued"])
def test_a_late_end_of_an_earlier_job_changes_nothing_after_it_was_queued_again(
    database: AirflowDatabase,
    start: StartScheduler,
    cluster: FakeBatchTasks,
    steps: list[dict[str, Any]],
    end: EndStatus,
) -> None:
    database.write_run("load")
    scheduler = start(database)
    first = running(scheduler, cluster)
    for step in steps:
        database.change(**step)
    second = queued(scheduler, cluster)
    assert first != second

    cluster.set_status(first, **end)

    is_settled(scheduler, entries=1)
    assert database.state() == "queued"
    assert not cluster.objects[second].spec.cancel
    cluster.set_status(second, phase=Phase.RUNNING)
    database.start()
    database.change(state="success")
    cluster.set_status(second, phase=Phase.SUCCEEDED)
    is_settled(scheduler)
    assert database.state() == "success"


# -- ends that Airflow waits for -------------------------------------------------------------------


@pytest.mark.parametrize(("retries", "state"), [(0, "failed"), (1, "up_for_retry")])
def test_a_job_that_failed_under_its_task_fails_it_with_awss_reason(
    database: AirflowDatabase,
    start: StartScheduler,
    cluster: FakeBatchTasks,
    retries: int,
    state: str,
) -> None:
    database.write_run("load", retries=retries)
    scheduler = start(database)
    name = running(scheduler, cluster)

    cluster.set_status(name, **failed())
    scheduler.loop_until(lambda: database.state() == state)

    told = [extra for event, extra in events(database) if event == "state mismatch"]
    assert "Host EC2 (i-1) terminated" in str(told)
    scheduler.look()
    assert not len(scheduler.executor._table)


def test_a_job_that_failed_before_the_start_costs_no_retry(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", retries=1)
    scheduler = start(database)
    queued(scheduler, cluster)
    before = database.of()
    for number in range(3):
        cluster.set_status(name_of(database, restarts=number), **failed())
        scheduler.loop_until(
            lambda number=number: name_of(database, restarts=number + 1) in cluster.secrets
        )
        now = database.of()
        assert (now.id, now.state, now.try_number) == (before.id, "queued", 1)
        assert now.external_executor_id == before.external_executor_id

    content = cluster.secrets[name_of(database, restarts=3)].content.get_secret_value()
    workload = json.loads(content)
    claims = jwt.decode(workload["token"], options={"verify_signature": False})
    assert workload["ti"]["id"] == claims["sub"] == str(before.id)
    assert claims["scope"] == "workload"
    assert workload["dag_rel_path"] is not None
    assert workload["bundle_info"]["name"] == "dags-folder"

    cluster.set_status(name_of(database, restarts=3), **failed())
    scheduler.loop_until(lambda: database.state() == "up_for_retry")


def test_a_task_cleared_while_it_runs_is_run_again(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    scheduler = start(database)
    name = running(scheduler, cluster)
    clear(database)
    assert database.state() == "restarting"
    scheduler.look()
    assert not cluster.objects[name].spec.cancel

    cluster.set_status(name, phase=Phase.SUCCEEDED)

    scheduler.loop_until(lambda: database.state() is None)


def test_a_task_cleared_while_it_waits_has_its_job_cancelled(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    scheduler = start(database)
    name = queued(scheduler, cluster)
    clear(database)
    assert database.of().external_executor_id is None

    scheduler.look()

    until(lambda: cluster.objects[name].spec.cancel)
    assert not scheduler.executor.running
    assert database.state() is None


def clear(database: AirflowDatabase) -> None:
    with database.session() as session:
        ti = session.merge(database.of())
        clear_task_instances([ti], session)


def test_a_task_marked_failed_while_it_waits_has_its_job_cancelled(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    scheduler = start(database)
    name = queued(scheduler, cluster)
    with database.session() as session:
        session.merge(database.of()).set_state("failed", session=session)

    scheduler.look()

    until(lambda: cluster.objects[name].spec.cancel)
    assert database.state() == "failed"


# -- the queue -------------------------------------------------------------------------------------


def test_a_job_that_waits_two_hours_still_runs(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    scheduler = start(database)
    name = queued(scheduler, cluster)
    for minutes in range(10, 121, 10):
        scheduler.handle_stuck(minutes * 60)
        scheduler.look()
        assert database.state() == "queued"
    assert not cluster.objects[name].spec.cancel
    assert scheduler.executor.has_task(database.of())

    cluster.set_status(name, phase=Phase.RUNNING)
    database.start()
    database.change(state="success")
    cluster.set_status(name, phase=Phase.SUCCEEDED)

    is_settled(scheduler)
    assert database.state() == "success"
    assert "stuck in queued reschedule" not in [event for event, _ in events(database)]


def test_a_job_past_queued_timeout_uses_the_users_retries(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", retries=1)
    scheduler = start(database, queued_timeout=3600)
    name = queued(scheduler, cluster)
    cluster.set_status(name, status_reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
    scheduler.look()
    assert database.state() == "queued"

    scheduler.look(3600)

    scheduler.loop_until(lambda: database.state() == "up_for_retry")
    told = [extra for event, extra in events(database) if event == "batchtask failed"]
    assert "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" in str(told)
    until(lambda: cluster.objects[name].spec.cancel)


# -- adoption --------------------------------------------------------------------------------------


def test_a_queued_task_is_adopted_before_its_task_was_created(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    first = start(database)
    first.enqueue()
    first.die()  # before its heartbeat
    before = database.of()

    heir = start(database)
    assert heir.adopt() == 0

    name = name_of(database)
    heir.loop_until(lambda: name in cluster.secrets)
    after = database.of()
    assert (after.id, after.try_number, after.state) == (before.id, 1, "queued")
    assert after.queued_by_job_id == heir.job.id
    cluster.set_status(name, **SUBMITTED | {"phase": Phase.RUNNING})
    database.start()
    cluster.set_status(name, **failed())
    heir.loop_until(lambda: database.state() == "failed")
    assert len(cluster.objects) == 1


@pytest.mark.parametrize("meanwhile", [{}, {"phase": Phase.RUNNING}, SUCCESS, failed()])
def test_a_running_task_is_adopted_whatever_became_of_it(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks, meanwhile: EndStatus
) -> None:
    database.write_run("load")
    first = start(database)
    name = running(first, cluster)
    first.die()
    cluster.set_status(name, **meanwhile)
    if meanwhile == SUCCESS:
        database.change(state="success")

    heir = start(database)
    assert heir.adopt() == 0

    if meanwhile in (SUCCESS, failed()):
        expected = "success" if meanwhile == SUCCESS else "failed"
        heir.loop_until(lambda: database.state() == expected)
    else:
        heir.loop_until(lambda: heir.executor.running)
        database.change(state="success")
        cluster.set_status(name, **SUCCESS)
    is_settled_after_a_look(heir)
    assert not heir.executor.running
    assert len(cluster.objects) == 1


def is_settled_after_a_look(scheduler: Scheduler) -> None:
    scheduler.look()
    is_settled(scheduler)


def test_a_task_without_an_id_is_reset_and_its_job_is_cancelled(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", executor="BatchTaskExecutor")
    first = start(database, a_local_executor())
    first.enqueue()
    assert database.of().external_executor_id is None
    first.executor.heartbeat()
    until(lambda: cluster.secrets)
    (orphan,) = cluster.secrets
    cluster.set_status(orphan, **SUBMITTED)
    first.die()

    heir = start(database, a_local_executor())
    assert heir.adopt() == 1

    def is_cancelled() -> bool:
        heir.executor.pass_time(61)
        return cluster.objects[orphan].spec.cancel

    heir.loop_until(is_cancelled)
    assert not heir.executor.running


# -- ids -------------------------------------------------------------------------------------------


def test_an_executor_named_by_its_class_beside_another_gets_ids_of_its_own(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", executor="BatchTaskExecutor")
    scheduler = start(database, a_local_executor(), alias="batchtask")
    scheduler.queue()  # Airflow gives no id on this path
    scheduler.loop_until(lambda: cluster.secrets)
    (first,) = cluster.secrets
    assert name_of(database) == first
    cluster.set_status(first, **SUBMITTED | {"phase": Phase.RUNNING})
    database.start()
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
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    scheduler = start(database)
    first = running(scheduler, cluster)
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
