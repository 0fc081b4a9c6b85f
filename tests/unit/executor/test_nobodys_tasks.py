"""BatchTasks that no scheduler follows, and those that only seem so."""

import pytest

from fakes.awaiting import until
from fakes.executors import ExecutorOver
from unit.executor.following import (
    looks_at_strays,
    parts,
    queued_again,
    running,
    take_over,
    waiting,
)


def test_a_task_that_nobody_waits_for_is_cancelled(
    executor: ExecutorOver, heir: ExecutorOver
) -> None:
    """It was cleared after its scheduler's death, so that nobody adopts it."""
    task = waiting(executor)
    take_over(executor, heir)
    task.change(state=None, external_id=None)

    looks_at_strays(heir)
    assert not task.is_cancelled()
    looks_at_strays(heir)

    until(task.is_cancelled)


@pytest.mark.parametrize("scheduler", [1, 2])
@pytest.mark.parametrize("state", ["queued", "running", "restarting"])
def test_a_task_that_another_scheduler_or_executor_follows_is_left_alone(
    executor: ExecutorOver, heir: ExecutorOver, state: str, scheduler: int
) -> None:
    """With teams, several executors of one scheduler may see each other's tasks."""
    task = waiting(executor)
    take_over(executor, heir)
    task.change(state=state, queued_by=scheduler)

    for _ in range(10):
        looks_at_strays(heir)

    assert not task.is_cancelled()
    assert not heir.running


def test_a_task_whose_id_its_scheduler_could_not_tell_yet_is_left_alone(
    executor: ExecutorOver, heir: ExecutorOver
) -> None:
    """That scheduler may stand still for longer than a minute."""
    executor.job_id = 1
    second = queued_again(executor, running(executor))
    heir.start()

    for _ in range(4):
        looks_at_strays(heir)

    until(lambda: not parts(heir).writer._cancelling)
    assert not second.is_cancelled()


def test_a_row_that_cannot_be_read_cancels_nothing_and_is_asked_for_again(
    executor: ExecutorOver, heir: ExecutorOver
) -> None:
    task = waiting(executor)
    take_over(executor, heir)
    task.change(state=None, external_id=None)
    heir.rows.bad = {task.key.primary}
    for _ in range(4):
        looks_at_strays(heir)
    assert not task.is_cancelled()

    heir.rows.bad.clear()
    for _ in range(3):
        looks_at_strays(heir)

    until(task.is_cancelled)
