"""What the next scheduler makes of the tasks that it finds."""

from datetime import UTC, datetime, timedelta

import pytest

from batchtask_api import Phase
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.following.rows import RowsUnavailable
from fakes.awaiting import until
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks
from unit.executor.following import (
    SUBMITTED,
    failed,
    looks,
    parts,
    queued,
    running,
    take_over,
    waiting,
    written,
)


def test_a_queued_task_without_a_task_in_the_cluster_is_written_by_its_heir(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    cluster.down = Unavailable("no answer")
    task = queued(executor)
    executor.loop()
    cluster.down = None
    cluster.requests.clear()
    parts(executor).writer.stop()
    parts(executor).writer.join(10)
    cluster.objects.clear()
    cluster.secrets.clear()

    take_over(executor, heir, task)

    heir.loop_until(lambda: task.name in cluster.secrets)
    assert heir.running == {task.key}
    task.set_status(**SUBMITTED | {"phase": Phase.RUNNING})
    task.start()
    task.set_status(phase=Phase.SUCCEEDED)
    assert heir.loop_until_event(task.key)[0] == "success"


def test_a_task_whose_workload_was_never_written_is_given_it_by_its_heir(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    task = written(executor)
    cluster.secrets.clear()

    take_over(executor, heir, task)

    heir.loop_until(lambda: task.name in cluster.secrets)
    assert len(cluster.objects) == 1
    assert cluster.secrets[task.name].owner.uid == task.stored.metadata.uid


def test_a_name_that_is_taken_when_an_heir_writes_is_its_own(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """The scheduler that was thought dead had a request under way."""
    task = written(executor)
    late = cluster.objects.pop(task.name)
    cluster.secrets.clear()
    take_over(executor, heir)
    heir.loop_until(lambda: parts(heir).cache.last_complete)
    cluster.objects[task.name] = late  # and the watch doesn't show it yet

    heir.try_adopt_task_instances([task.ti])
    task.change(queued_by=2)

    heir.loop_until(lambda: task.name in cluster.secrets)
    assert list(cluster.objects) == [task.name]
    looks(heir)
    assert task.row.external_id == task.id


def test_a_submitted_task_is_adopted_and_nothing_is_written(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    task = waiting(executor)
    cluster.requests.clear()

    take_over(executor, heir, task)

    heir.loop_until(lambda: task.key in heir.running)
    looks(heir)
    assert not cluster.requests["create"] + cluster.requests["put_workload"]
    assert not cluster.requests["cancel"]


def test_the_restart_of_an_adopted_task_counts_on(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    task = written(executor)
    for number in range(2):
        cluster.set_status(task.again(number), **failed())
        executor.loop_until(
            lambda number=number: task.again(number + 1) in cluster.secrets  # type: ignore[misc]
        )

    take_over(executor, heir, task)
    heir.loop_until(lambda: task.key in heir.running)
    cluster.set_status(task.again(2), **failed())
    heir.loop_until(lambda: task.again(3) in cluster.secrets)
    cluster.set_status(task.again(3), **failed())

    assert heir.loop_until_event(task.key)[0] == "failed"


def test_a_running_task_without_a_task_in_the_cluster_is_left_to_airflows_time_out(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    task = running(executor)
    cluster.objects.clear()

    take_over(executor, heir, task)

    heir.loop_until(lambda: task.key in heir.running)
    assert not looks(heir, 3600)
    assert not cluster.objects
    heir.change_state(task.key, "failed", remove_running=True)  # type: ignore[arg-type]
    heir.loop_until(lambda: len(heir._table) == 0)
    assert not heir.running


def test_nothing_is_decided_before_the_cluster_was_listed(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    task = waiting(executor)
    cluster.fail_next["list"] = [Unavailable("no answer")] * 100_000

    take_over(executor, heir, task)
    looks(heir)
    looks(heir, 3600)
    assert not heir.running
    assert list(cluster.objects) == [task.name]

    cluster.fail_next.clear()
    heir.loop_until(lambda: task.key in heir.running)
    assert not task.is_cancelled()


def test_nothing_is_decided_before_airflows_database_has_answered(
    executor: ExecutorOver,
) -> None:
    task = running(executor)
    executor.rows.down = RowsUnavailable("the connection broke")
    task.set_status(phase=Phase.SUCCEEDED)
    before = executor.rows.requests["find"]
    assert not executor.loop_until(lambda: executor.rows.requests["find"] > before + 3)

    executor.rows.down = None

    assert executor.loop_until_event(task.key)[0] == "success"


def test_an_adopted_job_past_queued_timeout_fails_as_any_other(
    executor: ExecutorOver,
    heir: ExecutorOver,
    configured: pytest.MonkeyPatch,
) -> None:
    task = waiting(executor)
    task.change(queued_at=datetime.now(UTC) - timedelta(hours=2))
    task.age(hours=2)
    for name, value in options(queued_timeout=3600).items():
        configured.setenv(name, value)
    take_over(executor, heir, task)

    state, info = heir.loop_until_event(task.key)

    assert state == "failed"
    assert "queued_timeout, 3600 s" in info
    assert not heir.running
    until(task.is_cancelled)


def test_a_task_that_was_finished_meanwhile_takes_no_slot(
    executor: ExecutorOver, heir: ExecutorOver
) -> None:
    task = running(executor)
    task.set_status(phase=Phase.SUCCEEDED)
    take_over(executor, heir, task)
    task.change(state="success")

    heir.loop_until(lambda: len(heir._table) == 0)

    assert not heir.loop()
    assert not heir.running


def test_a_task_whose_adoption_is_not_committed_yet_is_waited_for(
    executor: ExecutorOver, heir: ExecutorOver
) -> None:
    task = running(executor)
    task.set_status(phase=Phase.SUCCEEDED)
    take_over(executor, heir, task)
    task.change(queued_by=1)
    heir.loop_until(lambda: heir.running)
    assert not looks(heir)

    task.change(queued_by=2)

    assert looks(heir)[task.key][0] == "success"
