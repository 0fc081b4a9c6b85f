"""A job that failed before its task started is made again; any other is not."""

from typing import Any

import pytest

from batchtask_api import Phase, Reason
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks
from unit.executor.following import (
    SUBMITTED,
    failed,
    looks,
    queued_again,
    running,
    settle,
    waiting,
    written,
)


@pytest.mark.parametrize(
    "end",
    [
        failed(),
        failed(Reason.WORKLOAD_MISSING),
        {**failed(Reason.JOB_VANISHED), "phase": Phase.LOST},
        {**failed(Reason.INTENT_EXPIRED), "phase": Phase.LOST},
    ],
)
def test_it_is_made_again_with_a_fresh_token(
    executor: ExecutorOver, cluster: FakeBatchTasks, end: dict[str, Any]
) -> None:
    task = waiting(executor)

    task.set_status(**end)

    events = executor.loop_until(lambda: task.again(1) in cluster.secrets)
    assert not events
    assert task.key in executor.running
    first, second = (cluster.objects[task.again(number)] for number in (0, 1))
    assert second.spec.airflow == first.spec.airflow
    assert second.spec.job == first.spec.job
    assert second.metadata.annotations == first.metadata.annotations
    tokens = [cluster.secrets[task.again(number)].content for number in (0, 1)]
    assert tokens[0] != tokens[1]
    (event,) = [each for each in executor.logged if each[1] == "batchtask made again"]
    assert "1 of 3" in str(event[2])
    assert "Host EC2" in str(event[2])

    cluster.set_status(task.again(1), **SUBMITTED | {"phase": Phase.RUNNING})
    task.start()
    cluster.set_status(task.again(1), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(task.key)[0] == "success"


def test_it_is_made_again_start_retries_times_and_then_fails_with_awss_reason(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    task = written(executor)
    for number in range(3):
        cluster.set_status(task.again(number), **failed())
        events = executor.loop_until(
            lambda number=number: task.again(number + 1) in cluster.secrets  # type: ignore[misc]
        )
        assert not events

    cluster.set_status(task.again(3), **failed())

    state, info = executor.loop_until_event(task.key)
    assert state == "failed"
    assert "Host EC2 (i-1) terminated" in info
    assert len(cluster.objects) == 4


@pytest.mark.parametrize("reason", [Reason.INVALID_SPEC, Reason.NOT_ALLOWED])
def test_what_would_fail_again_is_not_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks, reason: Reason
) -> None:
    task = waiting(executor)

    task.set_status(**failed(reason))

    assert executor.loop_until_event(task.key)[0] == "failed"
    assert len(cluster.objects) == 1


def test_what_a_person_cancelled_or_deleted_is_not_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cancelled, deleted = (waiting(executor, task_id=f"t{number}") for number in (1, 2))
    cluster.cancel(cancelled.name)
    cancelled.set_status(**failed())
    cluster.delete(deleted.name)
    cluster.release(deleted.name)

    assert executor.loop_until_event(cancelled.key)[0] == "failed"
    executor.loop_until(lambda: not executor.running)
    assert len(cluster.objects) == 1


def test_what_has_started_is_never_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    task = waiting(executor)
    task.start()

    task.set_status(**failed())

    assert executor.loop_until_event(task.key)[0] == "failed"
    assert len(cluster.objects) == 1


def test_what_was_cleared_before_it_was_made_again_is_not(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    task = waiting(executor)
    rows, find = executor.rows, executor.rows.find

    def cleared_right_after(places: Any) -> Any:
        found = find(places)
        rows.change(task.ti, state=None, external_id=None)
        return found

    task.set_status(**failed())
    rows.find = cleared_right_after  # type: ignore[method-assign]

    executor.loop_until(lambda: rows.requests["workload"])
    rows.find = find  # type: ignore[method-assign]
    executor.loop_until(lambda: not executor.running)
    assert len(cluster.objects) == 1


def test_what_was_given_its_id_before_it_was_made_again_is_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """The row is read with the id that ours replaced, and Airflow takes ours in meanwhile."""
    second = queued_again(executor, running(executor))
    settle(executor)
    rows, find = executor.rows, executor.rows.find

    def taken_in_right_after(places: Any) -> Any:
        found = find(places)
        rows.change(second.ti, external_id=second.id)
        return found

    rows.find = taken_in_right_after  # type: ignore[method-assign]
    second.set_status(**failed())
    executor.loop_until(lambda: rows.requests["workload"])
    rows.find = find  # type: ignore[method-assign]
    looks(executor)
    looks(executor)

    executor.loop_until(lambda: second.again(1) in cluster.secrets)
    assert executor.running == {second.key}


def broken(workload: Any) -> Any:
    raise RuntimeError(f"no DAG for {workload.ti.task_id}: {workload.token}")


def test_a_workload_that_cannot_be_made_anew_for_a_while_is_tried_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    task = waiting(executor)
    remake, executor.rows.remake = executor.rows.remake, broken
    task.set_status(**failed())
    executor.loop_until(lambda: executor.rows.requests["workload"])
    for _ in range(10):
        assert not looks(executor, 20)
    assert executor.rows.requests["workload"] > 5

    executor.rows.remake = remake
    looks(executor)

    executor.loop_until(lambda: task.again(1) in cluster.secrets)
    told = [str(text) for _, event, text in executor.logged if event == "batchtask delayed"]
    assert len(told) == 1
    assert "no DAG for load" in told[0]
    assert "eyJ" not in told[0]


def test_a_workload_that_cannot_be_made_anew_for_long_fails_its_task(
    executor: ExecutorOver,
) -> None:
    task = waiting(executor)
    executor.rows.remake = broken
    task.set_status(**failed())
    executor.loop_until(lambda: "batchtask delayed" in [each[1] for each in executor.logged])

    looks(executor, 301)

    state, info = executor.loop_until_event(task.key)
    assert state == "failed"
    assert "no DAG for load" in info
    assert "eyJ" not in info
