"""Tasks that go from one scheduler to another while both live, or under an id of the past."""

from collections.abc import Iterator

import pytest

from batchtask_api import Phase
from fakes.airflow import execute_task
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks
from unit.executor.following import Followed, answer, looks, queued_again, running, take_over


@pytest.fixture
def first(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    """The executor of a scheduler that has an id."""
    del configured
    first = ExecutorOver(cluster, parallelism=10)
    first.job_id = 1
    first.start()
    yield first
    first.end()
    first.wait_for_the_end()


def test_a_task_that_another_scheduler_took_is_let_go_and_not_cancelled(
    first: ExecutorOver,
) -> None:
    task = running(first)
    task.change(queued_by=2)

    looks(first)
    assert first.running
    looks(first, 61)

    assert not first.running
    assert not task.is_cancelled()


def test_a_task_that_comes_back_is_not_let_go_by_a_row_read_before(first: ExecutorOver) -> None:
    """Another scheduler took it over, and died within the minute."""
    task = running(first)
    task.change(queued_by=2)
    looks(first)
    assert task.entry.unwanted_since
    theirs = task.asked()

    assert list(first.try_adopt_task_instances([task.ti])) == []
    task.change(queued_by=1)
    first.pass_time(61)
    answer(first, theirs)
    first.loop()
    looks(first)

    assert first.running == {task.key}


def test_an_adopted_id_of_an_earlier_queuing_leads_to_the_task_of_this_one(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """The scheduler died between the choice of another id and Airflow's taking it in."""
    first = running(executor)
    first.set_status(phase=Phase.SUCCEEDED)
    first.age()
    second = queued_again(executor, first)
    assert second.row.external_id == first.id

    take_over(executor, heir, second)
    heir.loop_until(lambda: heir.running)
    looks(heir)

    assert second.row.external_id == second.id
    assert second.row.state == "queued"
    assert len(cluster.objects) == 2


def test_an_adopted_id_of_an_earlier_queuing_alone_is_written_under_another(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    first = running(executor)
    first.set_status(phase=Phase.SUCCEEDED)
    executor.loop_until_event(first.key)
    first.age()
    workload = execute_task(executor, id=first.ti.id, external_executor_id=first.id)
    executor.rows.queue(workload, 1)
    second = Followed(executor, workload, first.id)

    take_over(executor, heir, second)
    heir.loop_until(lambda: len(cluster.secrets) == 2)

    (made,) = cluster.objects.keys() - {first.name}
    heir.loop_until(lambda: second.row.external_id == made.removeprefix("bt-"))
    assert second.row.state == "queued"
