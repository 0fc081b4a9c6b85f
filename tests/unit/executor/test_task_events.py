from collections.abc import Iterator

import pytest
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import Log
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from fakes.executors import ExecutorOver


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
