"""How long a job may wait for its turn, and what Airflow is told when it asks."""

from collections.abc import Iterator
from typing import Any

import pytest

from batchtask_api import ConditionType, Phase, Reason
from fakes.airflow import execute_task
from fakes.awaiting import until
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks
from unit.executor.following import (
    condition,
    failed,
    looks,
    parts,
    running,
    take_over,
    waiting,
    written,
)


def test_a_job_that_waits_two_hours_is_left_to_wait_and_succeeds(
    executor: ExecutorOver,
) -> None:
    """Airflow asks every 120 s, from 600 s on: once it is let down it queues anew, and fails it."""
    task = waiting(executor)
    for _ in range(60):
        assert not looks(executor, 120)
        with pytest.raises(NotImplementedError):
            executor.revoke_task(ti=task.ti)
    assert executor.has_task(task.ti)
    assert not task.is_cancelled()

    task.start()
    task.set_status(phase=Phase.SUCCEEDED)

    assert executor.loop_until_event(task.key)[0] == "success"


@pytest.fixture
def impatient(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    for name, value in options(queued_timeout=3600).items():
        configured.setenv(name, value)
    executor = ExecutorOver(cluster, parallelism=10)
    executor.start()
    yield executor
    executor.end()


def test_a_job_past_queued_timeout_is_cancelled_and_fails_with_awss_reason(
    impatient: ExecutorOver,
) -> None:
    task = waiting(impatient)
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    blocked = condition(ConditionType.BLOCKED, Reason.JOB_RUNNABLE_TOO_LONG, reason)
    task.set_status(conditions=(blocked,))
    assert not looks(impatient, 3570)

    events = looks(impatient, 30)

    state, info = events[task.key]
    assert state == "failed"
    assert reason in info
    assert "queued_timeout, 3600 s" in info
    until(task.is_cancelled)
    task.set_status(phase=Phase.CANCELLED)
    assert not looks(impatient)
    assert not impatient.running


def test_a_job_that_runs_is_never_timed_out(
    impatient: ExecutorOver,
) -> None:
    task = running(impatient)

    assert not looks(impatient, 7200)

    assert not task.is_cancelled()


def test_a_task_that_waits_for_its_heartbeat_waits_for_its_turn(executor: ExecutorOver) -> None:
    task: Any = executor.queue()

    with pytest.raises(NotImplementedError):
        executor.revoke_task(ti=task.ti)

    assert executor.has_task(task.ti)


def test_a_task_that_nothing_is_known_of_is_revoked_without_an_event(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    task = execute_task(executor)

    executor.revoke_task(ti=task.ti)  # type: ignore[arg-type]

    until(lambda: cluster.requests["cancel"])
    assert not executor.loop()


def test_a_task_made_again_that_nothing_is_known_of_is_revoked_with_those_before_it(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """Another scheduler made it; that one's first try is over, and the last one still waits."""
    task = written(executor)
    other = written(executor, task_id="other")
    task.set_status(**failed())
    executor.loop_until(lambda: task.again(1) in cluster.secrets)
    take_over(executor, heir)
    until(lambda: parts(heir).cache.get(task.again(1)))

    heir.revoke_task(ti=task.ti)

    until(lambda: cluster.objects[task.again(1)].spec.cancel)
    until(lambda: not parts(heir).writer._cancelling)
    assert not other.is_cancelled()
    assert cluster.requests["cancel"] == 2  # the first may be there and not be seen yet


def test_revoking_raises_nothing_else(executor: ExecutorOver) -> None:
    broken: Any = object()

    executor.revoke_task(ti=broken)
