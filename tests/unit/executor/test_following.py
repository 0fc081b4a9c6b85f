"""What becomes of a task when its row and its job disagree, over stand-ins for both."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from batchtask_api import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    Submission,
    names,
)
from batchtask_executor.cluster.manifest import task_name
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.following.rows import RowsUnavailable
from fakes.airflow import execute_task
from fakes.awaiting import until
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks

INTENT = Submission(attempt=1, job_name="j", by="c", at=datetime(2026, 1, 1, tzinfo=UTC), queue="q")
SUBMITTED = {"phase": Phase.RUNNABLE, "submission": INTENT, "job_id": "1a2b"}


def name_of(workload: Any, restarts: int = 0) -> str:
    return task_name(workload.ti.external_executor_id, restarts)


def condition(kind: ConditionType, reason: Reason, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=ConditionStatus.TRUE,
        reason=reason,
        message=message,
        last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def failed(reason: Reason = Reason.JOB_FAILED) -> dict[str, Any]:
    ended = condition(ConditionType.SUCCEEDED, reason)
    ended = ended.model_copy(update={"status": ConditionStatus.FALSE})
    return {
        "phase": Phase.FAILED,
        "submission": INTENT,
        "conditions": (ended,),
        "status_reason": "Host EC2 (i-1) terminated.",
    }


def written(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> Any:
    workload = executor.queue(**of)
    executor.loop_until(lambda: name_of(workload) in cluster.secrets)
    executor.loop_until(lambda: not executor._parts.writer._open)  # type: ignore[union-attr]
    executor.loop()
    return workload


def waiting(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> Any:
    workload = written(executor, cluster, **of)
    cluster.set_status(name_of(workload), **SUBMITTED)
    executor.loop_until(lambda: phase_of(executor, workload) is Phase.RUNNABLE)
    return workload


def running(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> Any:
    workload = written(executor, cluster, **of)
    cluster.set_status(name_of(workload), **SUBMITTED | {"phase": Phase.RUNNING})
    executor.rows.start(workload.ti)
    executor.loop_until(lambda: phase_of(executor, workload) is Phase.RUNNING)
    return workload


def phase_of(executor: ExecutorOver, workload: Any) -> Phase | None:
    assert executor._parts is not None
    task = executor._parts.cache.get(name_of(workload))
    return task.status.phase if task else None


def looks(executor: ExecutorOver, seconds: float = 16) -> dict[Any, tuple[str | None, Any]]:
    """Let so much time go by, and the executor look at every row and take in the answers."""
    events: dict[Any, tuple[str | None, Any]] = {}
    for passing in (seconds, 0.0):
        executor.pass_time(passing)
        events |= executor.loop()
        events |= executor.loop_until(lambda: not any(each.is_asked for each in executor._table))
    return events


def is_cancelled(cluster: FakeBatchTasks, name: str) -> bool:
    return name in cluster.objects and cluster.objects[name].spec.cancel


# -- a late end of an earlier job changes nothing --------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.LOST])
@pytest.mark.parametrize("state", ["deferred", "up_for_reschedule", "scheduled", "up_for_retry"])
def test_the_end_of_a_job_that_airflow_does_not_wait_for_frees_its_slot(
    executor: ExecutorOver, cluster: FakeBatchTasks, phase: Phase, state: str
) -> None:
    workload = running(executor, cluster)
    executor.rows.change(workload.ti, state=state)

    cluster.set_status(name_of(workload), phase=phase)

    events = executor.loop_until(lambda: not executor.running)
    assert not events
    assert executor.rows.of(workload.ti).state == state
    assert len(executor._table) == 0


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_a_late_end_leaves_the_task_that_was_queued_again_alone(
    executor: ExecutorOver, cluster: FakeBatchTasks, phase: Phase
) -> None:
    first = running(executor, cluster)
    second = waiting(executor, cluster, id=first.ti.id)

    cluster.set_status(name_of(first), phase=phase)

    events = executor.loop_until(lambda: len(executor._table) == 1)
    assert not events
    assert executor.running == {second.ti.key}
    assert executor.rows.of(second.ti).state == "queued"
    assert not is_cancelled(cluster, name_of(second))


def test_a_late_end_is_not_told_while_the_row_has_the_earlier_id(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    executor.drops_events = True  # Airflow doesn't take the other id in
    first = running(executor, cluster)
    stale = first.ti.external_executor_id
    second = executor.queue(id=first.ti.id, external_executor_id=stale)
    executor.loop()
    executor.loop_until(lambda: len(cluster.secrets) == 2)
    assert executor.rows.of(second.ti).external_id == stale

    cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)

    events = executor.loop_until(lambda: len(executor._table) == 1)
    assert {state for state, _ in events.values()} <= {"running"}
    assert executor.running == {second.ti.key}


def test_a_row_read_before_the_end_was_seen_is_read_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """Else a process's last report, made in between, would be missed."""
    workload = running(executor, cluster)
    entry = executor._table.current(workload.ti.key)
    assert entry
    entry.asked_about = None  # a question is under way, and was answered too early
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    executor.loop_until(lambda: entry.end)
    assert executor._parts
    executor._parts.inquiries._answers.put(_looked(entry, executor.rows.of(workload.ti)))
    executor.rows.change(workload.ti, state="success")

    events = executor.loop_until(lambda: not executor.running)

    assert not events


def test_an_end_that_no_change_told_of_yet_is_one_seen_after_the_row_was_read(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = running(executor, cluster)
    entry = executor._table.current(workload.ti.key)
    assert entry
    assert executor._parts
    entry.asked_about = None
    answer = _looked(entry, executor.rows.of(workload.ti))
    executor.rows.change(workload.ti, state="deferred")
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    until(lambda: phase_of(executor, workload) is Phase.SUCCEEDED)
    executor._parts.cache.drain()  # it comes after the loop has drained the changes

    executor._parts.inquiries._answers.put(answer)

    assert not executor.loop()
    assert not executor.loop_until(lambda: not executor.running)


def test_what_ended_well_is_no_loss_while_its_change_waits_for_its_turn(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """A list can't show what was deleted, and changes are taken in a few at a time."""
    workloads = [running(executor, cluster, map_index=number) for number in range(3)]
    assert executor._parts
    executor._parts.tracker._at_once = 1
    cache = executor._parts.cache
    for each in workloads:
        cluster.set_status(name_of(each), phase=Phase.SUCCEEDED)
    until(lambda: all(phase_of(executor, each) is Phase.SUCCEEDED for each in workloads))
    before = cache.last_complete
    for each in workloads:
        cluster.lose(name_of(each))
    cluster.forget_history()
    until(lambda: cache.last_complete > before)

    events = executor.loop_until(lambda: not executor.running)

    assert {state for state, _ in events.values()} == {"success"}


def _looked(entry: Any, row: Any) -> Any:
    from batchtask_executor.following.inquiries import Looked

    return Looked(entry.external_id, row)


# -- an event that the scheduler dropped -----------------------------------------------------------


def test_a_dropped_event_is_told_again_while_the_row_stays_as_it_was(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    executor.drops_events = True  # its row was locked
    workload = running(executor, cluster)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    executor.loop_until_event(workload.ti.key)
    assert not executor.loop()

    assert looks(executor)[workload.ti.key][0] == "success"
    assert looks(executor)[workload.ti.key][0] == "success"
    executor.drops_events = False
    assert looks(executor)[workload.ti.key][0] == "success"
    assert not looks(executor)
    assert len(executor._table) == 0
    assert [event for _, event, _ in executor.logged] == [
        "batchtask created",
        "batchtask submitted",
        "batchtask started",
        "batchtask succeeded",
    ]


def test_an_event_is_not_told_again_before_the_scheduler_can_have_taken_it_in(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    executor.drops_events = True
    workload = running(executor, cluster)
    looks(executor)
    executor.pass_time(13)
    cluster.set_status(name_of(workload), phase=Phase.FAILED)
    executor.loop_until_event(workload.ti.key)

    executor.pass_time(3)  # all other rows are to be read now
    assert not executor.loop()

    (entry,) = executor._table
    assert entry.reported_at
    assert not entry.is_asked


def test_an_id_that_airflow_did_not_take_in_is_told_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    executor.drops_events = True
    workload = executor.queue(external_executor_id=None)
    _, made = executor.loop()[workload.ti.key]
    executor.loop_until(lambda: task_name(made) in cluster.secrets)

    assert looks(executor) == {workload.ti.key: ("running", made)}
    executor.drops_events = False
    assert looks(executor) == {workload.ti.key: ("running", made)}
    assert not looks(executor)
    assert executor.rows.of(workload.ti).external_id == made


def test_the_end_of_a_task_whose_id_airflow_never_took_in_is_told(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    executor.drops_events = True
    workload = executor.queue(external_executor_id=None)
    _, made = executor.loop()[workload.ti.key]
    executor.loop_until(lambda: task_name(made) in cluster.secrets)
    executor.rows.start(workload.ti)

    cluster.set_status(task_name(made), phase=Phase.FAILED)

    events = executor.loop_until(lambda: not executor.running)
    assert events[workload.ti.key][0] == "failed"


# -- what was marked or cleared --------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"state": "failed"}, {"state": "success"}, {"state": None, "external_id": None}]
)
def test_a_task_marked_or_cleared_before_its_start_is_cancelled_at_once(
    executor: ExecutorOver, cluster: FakeBatchTasks, changes: dict[str, Any]
) -> None:
    workload = waiting(executor, cluster)
    executor.rows.change(workload.ti, **changes)

    events = looks(executor)

    until(lambda: is_cancelled(cluster, name_of(workload)))
    assert not events
    assert not executor.running


def test_a_task_of_a_deleted_run_is_cancelled_in_time(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = waiting(executor, cluster)
    executor.rows.remove(workload.ti)

    looks(executor)
    assert not is_cancelled(cluster, name_of(workload))
    looks(executor, 301)

    until(lambda: is_cancelled(cluster, name_of(workload)))


@pytest.mark.parametrize("state", ["success", "failed", "up_for_retry", "deferred", None])
def test_a_process_may_upload_its_logs_after_its_row_is_finished(
    executor: ExecutorOver, cluster: FakeBatchTasks, state: str | None
) -> None:
    workload = running(executor, cluster)
    executor.rows.change(workload.ti, state=state)

    for _ in range(19):
        looks(executor, 16)
    assert not is_cancelled(cluster, name_of(workload))
    assert workload.ti.key in executor.running
    looks(executor, 16)

    until(lambda: is_cancelled(cluster, name_of(workload)))
    assert not executor.running


def test_a_short_task_whose_job_seems_to_start_yet_is_not_cancelled(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = waiting(executor, cluster)
    executor.rows.start(workload.ti)
    executor.rows.change(workload.ti, state="success")

    looks(executor)
    looks(executor)

    assert not is_cancelled(cluster, name_of(workload))


def test_a_task_cleared_while_it_runs_is_told_of_when_its_process_has_ended(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = running(executor, cluster)
    executor.rows.change(workload.ti, state="restarting", ti_id="another")
    looks(executor)
    assert not is_cancelled(cluster, name_of(workload))

    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)

    assert executor.loop_until_event(workload.ti.key)[0] == "success"
    assert executor.rows.of(workload.ti).state is None


def test_a_task_cleared_while_it_runs_is_cancelled_if_its_process_stays(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = running(executor, cluster)
    executor.rows.change(workload.ti, state="restarting", ti_id="another")
    looks(executor)
    looks(executor, 301)
    until(lambda: is_cancelled(cluster, name_of(workload)))
    assert workload.ti.key in executor.running

    cluster.set_status(name_of(workload), phase=Phase.CANCELLED)

    assert executor.loop_until_event(workload.ti.key)[0] == "failed"


# -- a job that failed before its task started -----------------------------------------------------


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
    workload = waiting(executor, cluster)

    cluster.set_status(name_of(workload), **end)

    events = executor.loop_until(lambda: name_of(workload, 1) in cluster.secrets)
    assert not events
    assert workload.ti.key in executor.running
    first, second = (cluster.objects[name_of(workload, number)] for number in (0, 1))
    assert second.spec.airflow == first.spec.airflow
    assert second.spec.job == first.spec.job
    assert second.metadata.annotations == first.metadata.annotations
    tokens = [cluster.secrets[name_of(workload, number)].content for number in (0, 1)]
    assert tokens[0] != tokens[1]
    (event,) = [each for each in executor.logged if each[1] == "batchtask made again"]
    assert "1 of 3" in str(event[2])
    assert "Host EC2" in str(event[2])

    cluster.set_status(name_of(workload, 1), **SUBMITTED | {"phase": Phase.RUNNING})
    executor.rows.start(workload.ti)
    cluster.set_status(name_of(workload, 1), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(workload.ti.key)[0] == "success"


def test_it_is_made_again_start_retries_times_and_then_fails_with_awss_reason(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(executor, cluster)
    for number in range(3):
        cluster.set_status(name_of(workload, number), **failed())
        events = executor.loop_until(
            lambda number=number: name_of(workload, number + 1) in cluster.secrets  # type: ignore[misc]
        )
        assert not events

    cluster.set_status(name_of(workload, 3), **failed())

    state, info = executor.loop_until_event(workload.ti.key)
    assert state == "failed"
    assert "Host EC2 (i-1) terminated" in info
    assert len(cluster.objects) == 4


@pytest.mark.parametrize("reason", [Reason.INVALID_SPEC, Reason.NOT_ALLOWED])
def test_what_would_fail_again_is_not_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks, reason: Reason
) -> None:
    workload = waiting(executor, cluster)

    cluster.set_status(name_of(workload), **failed(reason))

    assert executor.loop_until_event(workload.ti.key)[0] == "failed"
    assert len(cluster.objects) == 1


def test_what_a_person_cancelled_or_deleted_is_not_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cancelled, deleted = (waiting(executor, cluster, task_id=f"t{number}") for number in (1, 2))
    cluster.cancel(name_of(cancelled))
    cluster.set_status(name_of(cancelled), **failed())
    cluster.delete(name_of(deleted))
    cluster.release(name_of(deleted))

    assert executor.loop_until_event(cancelled.ti.key)[0] == "failed"
    executor.loop_until(lambda: not executor.running)
    assert len(cluster.objects) == 1


def test_what_has_started_is_never_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = waiting(executor, cluster)
    executor.rows.start(workload.ti)

    cluster.set_status(name_of(workload), **failed())

    assert executor.loop_until_event(workload.ti.key)[0] == "failed"
    assert len(cluster.objects) == 1


def test_what_was_cleared_before_it_was_made_again_is_not(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = waiting(executor, cluster)
    rows, find = executor.rows, executor.rows.find

    def cleared_right_after(places: Any) -> Any:
        found = find(places)
        rows.change(workload.ti, state=None, external_id=None)
        return found

    cluster.set_status(name_of(workload), **failed())
    rows.find = cleared_right_after  # type: ignore[method-assign]

    executor.loop_until(lambda: rows.requests["workload"])
    rows.find = find  # type: ignore[method-assign]
    executor.loop_until(lambda: not executor.running)
    assert len(cluster.objects) == 1


def test_what_was_given_its_id_before_it_was_made_again_is_made_again(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """The row is read with the id that ours replaced, and Airflow takes ours in meanwhile."""
    first = running(executor, cluster)
    stale = first.ti.external_executor_id
    executor.drops_events = True
    second = executor.queue(id=first.ti.id, external_executor_id=stale)
    made = executor.loop()[second.ti.key][1]
    executor.loop_until(lambda: task_name(made) in cluster.secrets)
    executor.loop_until(lambda: not executor._parts.writer._open)  # type: ignore[union-attr]
    executor.loop()
    rows, find = executor.rows, executor.rows.find

    def taken_in_right_after(places: Any) -> Any:
        found = find(places)
        rows.change(second.ti, external_id=made)
        return found

    rows.find = taken_in_right_after  # type: ignore[method-assign]
    cluster.set_status(task_name(made), **failed())
    executor.loop_until(lambda: rows.requests["workload"])
    rows.find = find  # type: ignore[method-assign]
    looks(executor)
    looks(executor)

    executor.loop_until(lambda: task_name(made, restarts=1) in cluster.secrets)
    assert executor.running == {second.ti.key}


def test_a_workload_that_cannot_be_made_anew_fails_its_task(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    def broken(workload: Any) -> Any:
        raise RuntimeError(f"no DAG for {workload.ti.task_id}: {workload.token}")

    workload = waiting(executor, cluster)
    executor.rows.remake = broken

    cluster.set_status(name_of(workload), **failed())

    state, info = executor.loop_until_event(workload.ti.key)
    assert state == "failed"
    assert "no DAG for load" in info
    assert "eyJ" not in info


# -- the queue -------------------------------------------------------------------------------------


def test_a_job_that_waits_two_hours_is_left_to_wait_and_succeeds(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """Airflow asks every 120 s, from 600 s on: once it is let down it queues anew, and fails it."""
    workload = waiting(executor, cluster)
    for _ in range(60):
        assert not looks(executor, 120)
        with pytest.raises(NotImplementedError):
            executor.revoke_task(ti=workload.ti)
    assert executor.has_task(workload.ti)
    assert not is_cancelled(cluster, name_of(workload))

    executor.rows.start(workload.ti)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)

    assert executor.loop_until_event(workload.ti.key)[0] == "success"


@pytest.fixture
def impatient(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    for name, value in options(queued_timeout=3600).items():
        configured.setenv(name, value)
    executor = ExecutorOver(cluster, parallelism=10)
    executor.start()
    yield executor
    executor.end()


def test_a_job_past_queued_timeout_is_cancelled_and_fails_with_awss_reason(
    impatient: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = waiting(impatient, cluster)
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    blocked = condition(ConditionType.BLOCKED, Reason.JOB_RUNNABLE_TOO_LONG, reason)
    cluster.set_status(name_of(workload), conditions=(blocked,))
    assert not looks(impatient, 3570)

    events = looks(impatient, 30)

    state, info = events[workload.ti.key]
    assert state == "failed"
    assert reason in info
    assert "queued_timeout, 3600 s" in info
    until(lambda: is_cancelled(cluster, name_of(workload)))
    cluster.set_status(name_of(workload), phase=Phase.CANCELLED)
    assert not looks(impatient)
    assert not impatient.running


def test_a_job_that_runs_is_never_timed_out(
    impatient: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = running(impatient, cluster)

    assert not looks(impatient, 7200)

    assert not is_cancelled(cluster, name_of(workload))


def test_a_task_that_waits_for_its_heartbeat_waits_for_its_turn(executor: ExecutorOver) -> None:
    workload: Any = executor.queue()

    with pytest.raises(NotImplementedError):
        executor.revoke_task(ti=workload.ti)

    assert executor.has_task(workload.ti)


def test_a_task_that_nothing_is_known_of_is_revoked_without_an_event(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = execute_task(executor)

    executor.revoke_task(ti=workload.ti)  # type: ignore[arg-type]

    until(lambda: cluster.requests["cancel"])
    assert not executor.loop()


def test_revoking_raises_nothing_else(executor: ExecutorOver) -> None:
    broken: Any = object()

    executor.revoke_task(ti=broken)


# -- the token -------------------------------------------------------------------------------------


def test_a_task_whose_token_expires_is_given_a_fresh_one(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = written(executor, cluster)
    before = cluster.secrets[name_of(workload)]
    looks(executor, 130)
    blocked = condition(ConditionType.BLOCKED, Reason.TOKEN_EXPIRING)
    cluster.set_status(name_of(workload), conditions=(blocked,))
    assert executor._parts
    cache = executor._parts.cache
    executor.loop_until(lambda: cache.get(name_of(workload)).status.conditions)  # type: ignore[union-attr]

    looks(executor)

    executor.loop_until(lambda: cluster.secrets[name_of(workload)].content != before.content)
    after = cluster.secrets[name_of(workload)]
    assert _jti(after) != _jti(before)
    assert after.owner == before.owner
    executor.loop_until(lambda: not executor._parts.writer._open)  # type: ignore[union-attr]
    executor.loop()
    requests = cluster.requests["put_workload"]
    looks(executor)  # the controller hasn't looked yet
    assert cluster.requests["put_workload"] == requests
    looks(executor, 130)
    executor.loop_until(lambda: cluster.requests["put_workload"] == requests + 1)
    assert len(cluster.objects) == 1


def _jti(secret: Any) -> str:
    import json

    content = json.loads(secret.content.get_secret_value())
    return str(jwt.decode(content["token"], options={"verify_signature": False})["jti"])


# -- adoption --------------------------------------------------------------------------------------


@pytest.fixture
def heir(executor: ExecutorOver, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    """The next scheduler's executor; start it once the first has ended."""
    heir = ExecutorOver(cluster, rows=executor.rows, parallelism=10)
    heir.job_id = 2
    yield heir
    heir.end()


def take_over(executor: ExecutorOver, heir: ExecutorOver, *tis: Any) -> None:
    executor.end()
    executor.wait_for_the_end()
    assert isinstance(executor._given, FakeBatchTasks)
    executor._given.reopen()
    heir.start()
    assert list(heir.try_adopt_task_instances(tis)) == []
    for ti in tis:
        executor.rows.change(ti, queued_by=2)


def test_a_queued_task_without_a_task_in_the_cluster_is_written_by_its_heir(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    cluster.down = Unavailable("no answer")
    workload = executor.queue()
    executor.loop()
    cluster.down = None
    cluster.requests.clear()
    executor._parts.writer.stop()  # type: ignore[union-attr]
    executor._parts.writer.join(10)  # type: ignore[union-attr]
    cluster.objects.clear()
    cluster.secrets.clear()

    take_over(executor, heir, workload.ti)

    heir.loop_until(lambda: name_of(workload) in cluster.secrets)
    assert heir.running == {workload.ti.key}
    cluster.set_status(name_of(workload), **SUBMITTED | {"phase": Phase.RUNNING})
    heir.rows.start(workload.ti)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    assert heir.loop_until_event(workload.ti.key)[0] == "success"


def test_a_task_whose_workload_was_never_written_is_given_it_by_its_heir(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = written(executor, cluster)
    cluster.secrets.clear()

    take_over(executor, heir, workload.ti)

    heir.loop_until(lambda: name_of(workload) in cluster.secrets)
    assert len(cluster.objects) == 1
    assert cluster.secrets[name_of(workload)].owner.uid == (
        cluster.objects[name_of(workload)].metadata.uid
    )


def test_a_name_that_is_taken_when_an_heir_writes_is_its_own(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """The scheduler that was thought dead had a request under way."""
    workload = written(executor, cluster)
    task = cluster.objects.pop(name_of(workload))
    cluster.secrets.clear()
    take_over(executor, heir)
    heir.loop_until(lambda: heir._parts.cache.last_complete)  # type: ignore[union-attr]
    cluster.objects[name_of(workload)] = task  # and the watch doesn't show it yet

    heir.try_adopt_task_instances([workload.ti])
    heir.rows.change(workload.ti, queued_by=2)

    heir.loop_until(lambda: name_of(workload) in cluster.secrets)
    assert list(cluster.objects) == [name_of(workload)]
    looks(heir)
    assert heir.rows.of(workload.ti).external_id == workload.ti.external_executor_id


def test_a_submitted_task_is_adopted_and_nothing_is_written(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = waiting(executor, cluster)
    cluster.requests.clear()

    take_over(executor, heir, workload.ti)

    heir.loop_until(lambda: workload.ti.key in heir.running)
    looks(heir)
    assert not cluster.requests["create"] + cluster.requests["put_workload"]
    assert not cluster.requests["cancel"]


def test_the_restart_of_an_adopted_task_counts_on(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = written(executor, cluster)
    for number in range(2):
        cluster.set_status(name_of(workload, number), **failed())
        executor.loop_until(
            lambda number=number: name_of(workload, number + 1) in cluster.secrets  # type: ignore[misc]
        )

    take_over(executor, heir, workload.ti)
    heir.loop_until(lambda: workload.ti.key in heir.running)
    cluster.set_status(name_of(workload, 2), **failed())
    heir.loop_until(lambda: name_of(workload, 3) in cluster.secrets)
    cluster.set_status(name_of(workload, 3), **failed())

    assert heir.loop_until_event(workload.ti.key)[0] == "failed"


def test_a_running_task_without_a_task_in_the_cluster_is_left_to_airflows_time_out(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = running(executor, cluster)
    cluster.objects.clear()

    take_over(executor, heir, workload.ti)

    heir.loop_until(lambda: workload.ti.key in heir.running)
    assert not looks(heir, 3600)
    assert not cluster.objects
    heir.change_state(workload.ti.key, "failed", remove_running=True)  # type: ignore[arg-type]
    heir.loop_until(lambda: len(heir._table) == 0)
    assert not heir.running


def test_nothing_is_decided_before_the_cluster_was_listed(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = waiting(executor, cluster)
    cluster.fail_next["list"] = [Unavailable("no answer")] * 100_000

    take_over(executor, heir, workload.ti)
    looks(heir)
    looks(heir, 3600)
    assert not heir.running
    assert list(cluster.objects) == [name_of(workload)]

    cluster.fail_next.clear()
    heir.loop_until(lambda: workload.ti.key in heir.running)
    assert not is_cancelled(cluster, name_of(workload))


def test_nothing_is_decided_before_airflows_database_has_answered(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    workload = running(executor, cluster)
    executor.rows.down = RowsUnavailable("the connection broke")
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    before = executor.rows.requests["find"]
    assert not executor.loop_until(lambda: executor.rows.requests["find"] > before + 3)

    executor.rows.down = None

    assert executor.loop_until_event(workload.ti.key)[0] == "success"


def test_an_adopted_job_past_queued_timeout_fails_as_any_other(
    executor: ExecutorOver,
    heir: ExecutorOver,
    cluster: FakeBatchTasks,
    configured: pytest.MonkeyPatch,
) -> None:
    workload = waiting(executor, cluster)
    executor.rows.change(workload.ti, queued_at=datetime.now(UTC) - timedelta(hours=2))
    _age(cluster, name_of(workload), hours=2)
    for name, value in options(queued_timeout=3600).items():
        configured.setenv(name, value)
    take_over(executor, heir, workload.ti)

    state, info = heir.loop_until_event(workload.ti.key)

    assert state == "failed"
    assert "queued_timeout, 3600 s" in info
    assert not heir.running
    until(lambda: is_cancelled(cluster, name_of(workload)))


def test_a_task_that_was_finished_meanwhile_takes_no_slot(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = running(executor, cluster)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    take_over(executor, heir, workload.ti)
    executor.rows.change(workload.ti, state="success")

    heir.loop_until(lambda: len(heir._table) == 0)

    assert not heir.loop()
    assert not heir.running


def test_a_task_whose_adoption_is_not_committed_yet_is_waited_for(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    workload = running(executor, cluster)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    take_over(executor, heir, workload.ti)
    executor.rows.change(workload.ti, queued_by=1)
    heir.loop_until(lambda: heir.running)
    assert not looks(heir)

    executor.rows.change(workload.ti, queued_by=2)

    assert looks(heir)[workload.ti.key][0] == "success"


def test_a_task_that_another_scheduler_took_is_let_go_and_not_cancelled(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    executor.end()
    executor.wait_for_the_end()
    cluster.reopen()
    first = ExecutorOver(cluster, parallelism=10)
    first.job_id = 1
    first.start()
    workload = running(first, cluster)
    first.rows.change(workload.ti, queued_by=2)

    looks(first)
    assert first.running
    looks(first, 61)

    assert not first.running
    assert not is_cancelled(cluster, name_of(workload))
    first.end()


def test_a_task_that_comes_back_is_not_let_go_by_a_row_read_before(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    """Another scheduler took it over, and died within the minute."""
    executor.end()
    executor.wait_for_the_end()
    cluster.reopen()
    first = ExecutorOver(cluster, parallelism=10)
    first.job_id = 1
    first.start()
    workload = running(first, cluster)
    first.rows.change(workload.ti, queued_by=2)
    looks(first)
    entry = first._table.current(workload.ti.key)
    assert entry
    assert entry.unwanted_since
    assert first._parts
    entry.asked_about = None
    theirs = _looked(entry, first.rows.of(workload.ti))

    assert list(first.try_adopt_task_instances([workload.ti])) == []
    first.rows.change(workload.ti, queued_by=1)
    first.pass_time(61)
    first._parts.inquiries._answers.put(theirs)
    first.loop()
    looks(first)

    assert first.running == {workload.ti.key}
    first.end()
    first.wait_for_the_end()


def test_an_adopted_id_of_an_earlier_queuing_leads_to_the_task_of_this_one(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """The scheduler died between the choice of another id and Airflow's taking it in."""
    first = running(executor, cluster)
    cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)
    stale = first.ti.external_executor_id
    _age(cluster, name_of(first))
    executor.drops_events = True
    second = executor.queue(id=first.ti.id, external_executor_id=stale)
    made = executor.loop()[second.ti.key][1]
    executor.loop_until(lambda: task_name(made) in cluster.secrets)
    assert executor.rows.of(second.ti).external_id == stale

    take_over(executor, heir, second.ti)
    heir.loop_until(lambda: heir.running)
    looks(heir)

    assert heir.rows.of(second.ti).external_id == made
    assert heir.rows.of(second.ti).state == "queued"
    assert len(cluster.objects) == 2


def test_an_adopted_id_of_an_earlier_queuing_alone_is_written_under_another(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    first = running(executor, cluster)
    cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)
    stale = first.ti.external_executor_id
    executor.loop_until_event(first.ti.key)
    _age(cluster, name_of(first))
    second = execute_task(executor, id=first.ti.id, external_executor_id=stale)
    executor.rows.queue(second, 1)

    take_over(executor, heir, second.ti)
    heir.loop_until(lambda: len(cluster.secrets) == 2)

    (made,) = cluster.objects.keys() - {name_of(first)}
    heir.loop_until(lambda: heir.rows.of(second.ti).external_id == made.removeprefix("bt-"))
    assert heir.rows.of(second.ti).state == "queued"


def _age(cluster: FakeBatchTasks, name: str, *, hours: int = 1) -> None:
    """Let the task be of so many hours ago."""
    task = cluster.objects[name]
    then = datetime.now(UTC) - timedelta(hours=hours)
    annotations = {
        **task.metadata.annotations,
        names.ANNOTATION_QUEUED_AT: then.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    metadata = task.metadata.model_copy(update={"annotations": annotations})
    cluster.objects[name] = task.model_copy(update={"metadata": metadata})
    cluster.set_status(name)


# -- tasks that nobody follows ---------------------------------------------------------------------


def test_a_task_that_nobody_waits_for_is_cancelled(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """It was cleared after its scheduler's death, so that nobody adopts it."""
    workload = waiting(executor, cluster)
    take_over(executor, heir)
    heir.rows.change(workload.ti, state=None, external_id=None)

    looks_at_strays(heir)
    assert not is_cancelled(cluster, name_of(workload))
    looks_at_strays(heir)

    until(lambda: is_cancelled(cluster, name_of(workload)))


@pytest.mark.parametrize("scheduler", [1, 2])
@pytest.mark.parametrize("state", ["queued", "running", "restarting"])
def test_a_task_that_another_scheduler_or_executor_follows_is_left_alone(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver, state: str, scheduler: int
) -> None:
    """With teams, several executors of one scheduler may see each other's tasks."""
    workload = waiting(executor, cluster)
    take_over(executor, heir)
    heir.rows.change(workload.ti, state=state, queued_by=scheduler)

    for _ in range(10):
        looks_at_strays(heir)

    assert not is_cancelled(cluster, name_of(workload))
    assert not heir.running


def test_a_task_whose_id_its_scheduler_could_not_tell_yet_is_left_alone(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    """That scheduler may stand still for longer than a minute."""
    executor.job_id = 1
    first = running(executor, cluster)
    stale = first.ti.external_executor_id
    executor.drops_events = True
    second = executor.queue(id=first.ti.id, external_executor_id=stale)
    made = executor.loop()[second.ti.key][1]
    executor.loop_until(lambda: task_name(made) in cluster.secrets)
    heir.start()

    for _ in range(4):
        looks_at_strays(heir)

    until(lambda: not heir._parts.writer._cancelling)  # type: ignore[union-attr]
    assert not is_cancelled(cluster, task_name(made))


def looks_at_strays(executor: ExecutorOver) -> None:
    executor.loop_until(lambda: executor._parts.cache.last_complete)  # type: ignore[union-attr]
    before = executor.rows.requests["find"]
    executor.pass_time(61)
    executor.loop_until(lambda: executor.rows.requests["find"] > before)
    for _ in range(5):
        executor.loop()
