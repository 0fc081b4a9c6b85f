"""A task instance that was marked or cleared: its job ends, and its process has time to."""

from typing import Any

import pytest

from batchtask_api import Phase
from fakes.awaiting import until
from fakes.executors import ExecutorOver
from unit.executor.following import looks, running, waiting


@pytest.mark.parametrize(
    "changes", [{"state": "failed"}, {"state": "success"}, {"state": None, "external_id": None}]
)
def test_a_task_marked_or_cleared_before_its_start_is_cancelled_at_once(
    executor: ExecutorOver, changes: dict[str, Any]
) -> None:
    task = waiting(executor)
    task.change(**changes)

    events = looks(executor)

    until(task.is_cancelled)
    assert not events
    assert not executor.running


def test_a_task_of_a_deleted_run_is_cancelled_in_time(
    executor: ExecutorOver,
) -> None:
    task = waiting(executor)
    executor.rows.remove(task.ti)

    looks(executor)
    assert not task.is_cancelled()
    looks(executor, 301)

    until(task.is_cancelled)


@pytest.mark.parametrize("state", ["success", "failed", "up_for_retry", "deferred", None])
def test_a_process_may_upload_its_logs_after_its_row_is_finished(
    executor: ExecutorOver, state: str | None
) -> None:
    task = running(executor)
    task.change(state=state)

    for _ in range(19):
        looks(executor, 16)
    assert not task.is_cancelled()
    assert task.key in executor.running
    looks(executor, 16)

    until(task.is_cancelled)
    assert not executor.running


def test_a_short_task_whose_job_seems_to_start_yet_is_not_cancelled(
    executor: ExecutorOver,
) -> None:
    task = waiting(executor)
    task.start()
    task.change(state="success")

    looks(executor)
    looks(executor)

    assert not task.is_cancelled()


def test_a_task_cleared_while_it_runs_is_told_of_when_its_process_has_ended(
    executor: ExecutorOver,
) -> None:
    task = running(executor)
    task.change(state="restarting", ti_id="another")
    looks(executor)
    assert not task.is_cancelled()

    task.set_status(phase=Phase.SUCCEEDED)

    assert executor.loop_until_event(task.key)[0] == "success"
    assert task.row.state is None


def test_a_task_cleared_while_it_runs_is_cancelled_if_its_process_stays(
    executor: ExecutorOver,
) -> None:
    task = running(executor)
    task.change(state="restarting", ti_id="another")
    looks(executor)
    looks(executor, 301)
    until(task.is_cancelled)
    assert task.key in executor.running

    task.set_status(phase=Phase.CANCELLED)

    assert executor.loop_until_event(task.key)[0] == "failed"
