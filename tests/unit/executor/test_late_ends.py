"""The end of a job changes nothing in Airflow unless Airflow waits for it."""

import pytest

from batchtask_api import Phase
from fakes.awaiting import until
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks
from unit.executor.following import answer, looks, parts, queued_again, running, waiting


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.LOST])
@pytest.mark.parametrize("state", ["deferred", "up_for_reschedule", "scheduled", "up_for_retry"])
def test_the_end_of_a_job_that_airflow_does_not_wait_for_frees_its_slot(
    executor: ExecutorOver, phase: Phase, state: str
) -> None:
    task = running(executor)
    task.change(state=state)

    task.set_status(phase=phase)

    events = executor.loop_until(lambda: not executor.running)
    assert not events
    assert task.row.state == state
    assert len(executor._table) == 0


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_a_late_end_leaves_the_task_that_was_queued_again_alone(
    executor: ExecutorOver, phase: Phase
) -> None:
    first = running(executor)
    second = waiting(executor, id=first.ti.id)

    first.set_status(phase=phase)

    events = executor.loop_until(lambda: len(executor._table) == 1)
    assert not events
    assert executor.running == {second.key}
    assert second.row.state == "queued"
    assert not second.is_cancelled()


def test_a_late_end_is_not_told_while_the_row_has_the_earlier_id(
    executor: ExecutorOver,
) -> None:
    first = running(executor)
    second = queued_again(executor, first)
    assert second.row.external_id == first.id

    first.set_status(phase=Phase.SUCCEEDED)

    events = executor.loop_until(lambda: len(executor._table) == 1)
    assert {state for state, _ in events.values()} <= {"running"}
    assert executor.running == {second.key}


def test_a_row_read_before_the_end_was_seen_is_read_again(
    executor: ExecutorOver,
) -> None:
    """Else a process's last report, made in between, would be missed."""
    task = running(executor)
    too_early = task.asked()
    task.set_status(phase=Phase.SUCCEEDED)
    executor.loop_until(lambda: task.entry.end)
    answer(executor, too_early)
    task.change(state="success")

    events = executor.loop_until(lambda: not executor.running)

    assert not events


def test_an_end_that_no_change_told_of_yet_is_one_seen_after_the_row_was_read(
    executor: ExecutorOver,
) -> None:
    task = running(executor)
    too_early = task.asked()
    task.change(state="deferred")
    task.set_status(phase=Phase.SUCCEEDED)
    until(lambda: task.phase is Phase.SUCCEEDED)
    parts(executor).cache.drain()  # it comes after the loop has drained the changes

    answer(executor, too_early)

    assert not executor.loop()
    assert not executor.loop_until(lambda: not executor.running)


def test_what_ended_well_is_no_loss_while_its_change_waits_for_its_turn(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """A list can't show what was deleted, and changes are taken in a few at a time."""
    tasks = [running(executor, map_index=number) for number in range(3)]
    parts(executor).tracker._at_once = 1
    cache = parts(executor).cache
    for each in tasks:
        each.set_status(phase=Phase.SUCCEEDED)
    until(lambda: all(each.phase is Phase.SUCCEEDED for each in tasks))
    before = cache.last_complete
    for each in tasks:
        cluster.lose(each.name)
    cluster.forget_history()
    until(lambda: cache.last_complete > before)

    events = executor.loop_until(lambda: not executor.running)

    assert {state for state, _ in events.values()} == {"success"}


def test_a_row_that_cannot_be_read_is_asked_for_again_and_keeps_no_other_end_back(
    executor: ExecutorOver,
) -> None:
    bad, good = (running(executor, task_id=task_id) for task_id in ("bad", "good"))
    executor.rows.bad = {bad.key.primary}
    for each in (bad, good):
        each.set_status(phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(good.key)[0] == "success"
    assert bad.key not in looks(executor)

    executor.rows.bad.clear()

    assert looks(executor)[bad.key][0] == "success"
