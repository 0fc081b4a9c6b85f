"""What the scheduler dropped is told again, for as long as its row stays as it was."""

from batchtask_api import Phase
from fakes.executors import ExecutorOver
from unit.executor.following import looks, queued_under_another_id, running


def test_a_dropped_event_is_told_again_while_the_row_stays_as_it_was(
    executor: ExecutorOver,
) -> None:
    executor.drops_events = True  # its row was locked
    task = running(executor)
    task.set_status(phase=Phase.SUCCEEDED)
    executor.loop_until_event(task.key)
    assert not executor.loop()

    assert looks(executor)[task.key][0] == "success"
    assert looks(executor)[task.key][0] == "success"
    executor.drops_events = False
    assert looks(executor)[task.key][0] == "success"
    assert not looks(executor)
    assert len(executor._table) == 0
    assert [event for _, event, _ in executor.logged] == [
        "batchtask created",
        "batchtask submitted",
        "batchtask started",
        "batchtask succeeded",
    ]


def test_an_event_is_not_told_again_before_the_scheduler_can_have_taken_it_in(
    executor: ExecutorOver,
) -> None:
    executor.drops_events = True
    task = running(executor)
    looks(executor)
    executor.pass_time(13)
    task.set_status(phase=Phase.FAILED)
    executor.loop_until_event(task.key)

    executor.pass_time(3)  # all other rows are to be read now
    assert not executor.loop()

    (entry,) = executor._table
    assert entry.reported_at
    assert not entry.is_asked


def test_an_id_that_airflow_did_not_take_in_is_told_again(
    executor: ExecutorOver,
) -> None:
    task = queued_under_another_id(executor, external_executor_id=None)

    assert looks(executor) == {task.key: ("running", task.id)}
    executor.drops_events = False
    assert looks(executor) == {task.key: ("running", task.id)}
    assert not looks(executor)
    assert task.row.external_id == task.id


def test_the_end_of_a_task_whose_id_airflow_never_took_in_is_told(
    executor: ExecutorOver,
) -> None:
    task = queued_under_another_id(executor, external_executor_id=None)
    task.start()

    task.set_status(phase=Phase.FAILED)

    events = executor.loop_until(lambda: not executor.running)
    assert events[task.key][0] == "failed"
