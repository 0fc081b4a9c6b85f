from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import Log
from airflow.models.taskinstancekey import TaskInstanceKey
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from batchtask_api import ConditionStatus, ConditionType, Phase, Reason
from batchtask_executor.cluster.manifest import task_name
from builders import a_condition
from fakes.executors import ExecutorOver
from fakes.task_instances import ran
from fakes.tasks import FakeBatchTasks


@pytest.fixture
def session() -> Iterator[Session]:
    """A database that holds the table of events."""
    engine = create_engine("sqlite://")
    Log.metadata.create_all(engine, tables=[Log.metadata.tables["log"]])
    with Session(engine) as session:
        yield session
    engine.dispose()


def heartbeats_until_refused(executor: ExecutorOver) -> None:
    executor.heartbeat()
    while executor.running:
        executor.heartbeat()


def test_the_scheduler_saves_what_the_executor_logs(
    executor: ExecutorOver, session: Session
) -> None:
    bad = [executor.queue(task_id=f"t{n}", executor_config={"x": n}) for n in range(3)]
    heartbeats_until_refused(executor)

    SchedulerJobRunner._process_task_event_logs(executor._task_event_logs, session)

    rows = session.execute(select(Log.task_id, Log.event, Log.try_number, Log.extra)).all()
    words = "executor_config.x is unknown to SubmitJob"
    assert sorted(row.task_id for row in rows) == [workload.ti.task_id for workload in bad]
    assert {row.event for row in rows} == {"batchtask refused"}
    assert {row.try_number for row in rows} == {1}
    assert all(row.extra.startswith(words) for row in rows)


def test_what_was_saved_is_let_go(executor: ExecutorOver, session: Session) -> None:
    executor.queue(executor_config={"x": 1})
    heartbeats_until_refused(executor)
    SchedulerJobRunner._process_task_event_logs(executor._task_event_logs, session)

    executor.heartbeat()

    assert not executor._kept_events


def run_through(executor: ExecutorOver, cluster: FakeBatchTasks, *states: dict[str, Any]) -> str:
    """Queue a task instance, have its task come through the states, and return its name."""
    workload = executor.queue()
    name = task_name(str(workload.ti.external_executor_id))
    executor.loop_until(lambda: "batchtask created" in events(executor))
    executor.rows.start(workload.ti)
    come_through(executor, cluster, name, *states)
    return name


def come_through(
    executor: ExecutorOver, cluster: FakeBatchTasks, name: str, *states: dict[str, Any]
) -> None:
    assert executor._parts
    cache = executor._parts.cache
    for state in states:
        cluster.set_status(name, **state)
        wanted = cluster.objects[name].metadata.resource_version

        def is_seen(wanted: str = wanted) -> bool:
            task = cache.get(name)
            return task is not None and task.metadata.resource_version == wanted

        executor.loop_until(is_seen)
        executor.loop()


def events(executor: ExecutorOver) -> list[str]:
    return [event for _, event, _ in executor.logged]


WAITS = a_condition(
    ConditionType.BLOCKED,
    reason=Reason.JOB_RUNNABLE_TOO_LONG,
    message="position 3 of the first 100 in queue analytics",
)
OVER = a_condition(ConditionType.BLOCKED, ConditionStatus.FALSE, reason=Reason.UNBLOCKED)


def test_a_tasks_life_is_told_where_its_user_looks(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    run_through(
        executor,
        cluster,
        {"phase": Phase.SUBMITTED, "job_id": "job-1"},
        {"phase": Phase.RUNNABLE},
        {"conditions": (WAITS,)},
        {"phase": Phase.STARTING, "conditions": (OVER,)},
        {"phase": Phase.RUNNING},
        {"phase": Phase.SUCCEEDED},
    )

    assert events(executor) == [
        "batchtask created",
        "batchtask submitted",
        "batchtask blocked",
        "batchtask unblocked",
        "batchtask started",
        "batchtask succeeded",
    ]
    texts = {event: text for _, event, text in executor.logged}
    assert texts["batchtask submitted"] == "AWS Batch job job-1"
    assert texts["batchtask blocked"] == f"JobRunnableTooLong: {WAITS.message}"


def test_a_failure_is_told_once(executor: ExecutorOver, cluster: FakeBatchTasks) -> None:
    run_through(
        executor,
        cluster,
        {"phase": Phase.SUBMITTED, "job_id": "job-1"},
        {"phase": Phase.FAILED, "exit_code": 1, "status_reason": "Essential container exited"},
    )

    executor.loop_until(lambda: not executor.running)
    executor.loop()

    assert events(executor) == ["batchtask created", "batchtask submitted", "batchtask failed"]
    assert "Essential container exited" in str(executor.logged[-1][2])


def test_who_adopts_a_task_does_not_tell_again_what_was_told(
    configured: pytest.MonkeyPatch, executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    name = run_through(executor, cluster, {"phase": Phase.SUBMITTED, "job_id": "job-1"})
    (key,) = executor.running
    executor._parts.cache.stop()  # type: ignore[union-attr]
    heir = ExecutorOver(cluster, rows=executor.rows, parallelism=5000)
    heir.start()
    assert isinstance(key, TaskInstanceKey)
    dag_id, task_id, run_id, map_index = key.primary
    ti = SimpleNamespace(
        dag_id=dag_id,
        task_id=task_id,
        run_id=run_id,
        map_index=map_index,
        external_executor_id=name.removeprefix("bt-"),
    )
    heir.try_adopt_task_instances([ti])  # type: ignore[list-item]
    heir.loop_until(lambda: key in heir.running)

    come_through(heir, cluster, name, {"phase": Phase.RUNNING}, {"phase": Phase.SUCCEEDED})

    assert events(heir) == ["batchtask started", "batchtask succeeded"]
    heir.end()


def test_the_links_name_the_log_group_of_the_configuration(
    configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> None:
    configured.setenv("AIRFLOW__BATCHTASK_EXECUTOR__LOG_GROUP", "ours")
    executor = ExecutorOver(cluster, parallelism=5000)
    executor.start()
    run_through(executor, cluster, ran(), {"phase": Phase.FAILED})
    executor.loop_until(lambda: not executor.running)

    texts = {event: str(text) for _, event, text in executor.logged}
    assert "/log-group/ours/" in texts["batchtask started"]
    assert "/log-group/ours/" in texts["batchtask failed"]
    executor.end()
