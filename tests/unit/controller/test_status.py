"""The status of a task, and the patch that makes it so."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from batchtask_api import (
    BatchTask,
    BatchTaskStatus,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
)
from batchtask_controller import status
from batchtask_controller.batch import JobAttempt, JobStatus
from batchtask_controller.plan import Finish
from batchtask_controller.request import Problem
from builders import (
    CREATED,
    a_condition,
    a_job,
    a_reference,
    a_status,
    a_submission,
    a_task,
)
from fakes.cluster import merged

LATER = CREATED + timedelta(seconds=90)
PROBLEM = Problem(Reason.ACCESS_DENIED, "AWS refused the right")
SUCCEEDED = Finish(Phase.SUCCEEDED, Reason.JOB_SUCCEEDED, "The job succeeded")
REJECTED = Finish(Phase.FAILED, Reason.INVALID_SPEC, "no such queue")

# Each of the module's statuses, from a task, at a time.
STEPS: dict[str, Callable[[BatchTask, datetime], BatchTaskStatus]] = {
    "intended": lambda task, now: status.intended(task, a_submission(by="one"), now),
    "blocked": lambda task, now: status.blocked(task, PROBLEM, now),
    "withdrawn": lambda task, now: status.withdrawn(task, PROBLEM, now),
    "submitted": lambda task, now: status.submitted(task, a_reference(), now),
    **{
        f"running {each}": lambda task, now, each=each: status.running(task, a_job(each), now)  # type: ignore[misc]
        for each in JobStatus
        if not each.has_ended
    },
    "succeeded": lambda task, now: status.finished(
        task, SUCCEEDED, a_job(JobStatus.SUCCEEDED), "job-1", now
    ),
    "rejected": lambda task, now: status.finished(task, REJECTED, None, None, now),
}


def patched(task: BatchTask, changes: dict[str, Any]) -> BatchTask:
    """The task as the API server has it after the patch."""
    body = task.to_json()
    return BatchTask.from_json({**body, "status": merged(body["status"], changes)})


def after(*steps: str, now: datetime = CREATED) -> BatchTask:
    """A task that has gone through these steps."""
    task = a_task()
    for step in steps:
        task = patched(task, status.changes(task.status, STEPS[step](task, now)))
    return task


def said(task: BatchTask, kind: ConditionType) -> tuple[ConditionStatus, str] | None:
    """A condition's status and reason."""
    found = task.status.condition(kind)
    return None if found is None else (found.status, found.reason)


def test_every_status_that_aws_batch_has_is_known() -> None:
    model = get_session().get_service_model("batch")

    known = {each.value for each in JobStatus}

    assert known == set(model.shape_for("JobStatus").enum)  # type: ignore[attr-defined]


def test_every_status_has_a_phase() -> None:
    assert set(status.PHASES) == set(JobStatus)
    assert {each for each in JobStatus if status.PHASES[each][0].is_finished} == {
        each for each in JobStatus if each.has_ended
    }


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", [None, *STEPS])
def test_what_was_patched_needs_no_second_patch(before: str | None, step: str) -> None:
    task = after(*filter(None, [before, step]))

    again = STEPS[step](task, LATER)

    assert status.changes(task.status, again) == {}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=6))
def test_a_patch_leads_exactly_to_the_status_that_was_meant(steps: list[str]) -> None:
    task = a_task()
    for step in steps:
        meant = STEPS[step](task, LATER)

        task = patched(task, status.changes(task.status, meant))

        assert task.status == meant


def test_a_patch_holds_nothing_that_stays_as_it_is() -> None:
    task = after("intended", "submitted", "running RUNNABLE")

    changes = status.changes(task.status, STEPS["running STARTING"](task, LATER))

    assert sorted(changes) == ["conditions", "jobStatus", "phase"]


def test_that_a_job_was_seen_for_the_first_time_needs_no_patch() -> None:
    task = after("intended", "submitted")

    seen = status.running(task, a_job(JobStatus.SUBMITTED, arn=None), LATER)

    assert status.changes(task.status, seen) == {}


def test_a_new_intent_leaves_nothing_of_the_old_one() -> None:
    task = after("intended")
    elsewhere = a_submission(by="two", attempt=2, account=None)

    changes = status.changes(task.status, status.intended(task, elsewhere, LATER))

    assert patched(task, changes).status.submission == elsewhere
    assert changes["submission"]["account"] is None


def test_a_withdrawn_intent_is_removed() -> None:
    task = after("intended")

    changes = status.changes(task.status, status.withdrawn(task, PROBLEM, LATER))

    assert changes["submission"] is None
    assert changes["phase"] == "Pending"


@pytest.mark.parametrize(
    ("steps", "submitted", "running", "succeeded", "phase"),
    [
        (["intended"], "False", None, "Unknown", Phase.SUBMITTING),
        (["intended", "withdrawn"], "False", None, "Unknown", Phase.PENDING),
        (["intended", "submitted"], "True", "False", "Unknown", Phase.SUBMITTED),
        (["running PENDING"], "True", "False", "Unknown", Phase.SUBMITTED),
        (["running RUNNABLE"], "True", "False", "Unknown", Phase.RUNNABLE),
        (["running STARTING"], "True", "False", "Unknown", Phase.STARTING),
        (["running RUNNING"], "True", "True", "Unknown", Phase.RUNNING),
        (["running RUNNING", "succeeded"], "True", "False", "True", Phase.SUCCEEDED),
        (["rejected"], "False", "False", "False", Phase.FAILED),
    ],
)
def test_conditions_on_the_way(
    steps: list[str], submitted: str, running: str | None, succeeded: str, phase: Phase
) -> None:
    task = after(*steps)

    found = [said(task, kind) for kind in ConditionType]

    assert [each[0] if each else None for each in found] == [
        submitted,
        running,
        "True" if steps[-1] == "withdrawn" else None,
        succeeded,
    ]
    assert task.status.phase is phase


def test_the_block_ends_when_the_task_goes_on() -> None:
    task = after("blocked", "intended")

    assert said(task, ConditionType.BLOCKED) == (ConditionStatus.FALSE, Reason.UNBLOCKED)


def test_a_task_that_was_never_blocked_says_nothing_of_it() -> None:
    task = after("intended", "submitted", "running RUNNING", "succeeded")

    assert said(task, ConditionType.BLOCKED) is None


def test_the_time_of_a_transition_stays_while_the_status_does() -> None:
    task = after("running RUNNABLE")

    task = patched(task, status.changes(task.status, STEPS["running RUNNING"](task, LATER)))

    times = {each.type: each.last_transition_time for each in task.status.conditions}
    assert times[ConditionType.SUCCEEDED] == CREATED
    assert times[ConditionType.RUNNING] == LATER


def test_times_of_transitions_are_whole_seconds() -> None:
    task = a_task()
    now = CREATED.replace(microsecond=123456)

    found = status.blocked(task, PROBLEM, now).conditions

    assert {each.last_transition_time for each in found} == {CREATED}


def test_the_conditions_speak_of_the_generation_that_was_seen() -> None:
    task = a_task(generation=7)

    found = status.running(task, a_job(JobStatus.RUNNING), LATER)

    assert found.observed_generation == 7
    assert {each.observed_generation for each in found.conditions} == {7}


def test_when_it_was_taken_and_where_it_logs_to_are_no_news() -> None:
    task = a_task(status=status.submitted(a_task(), a_reference(arn=a_job().arn), CREATED))
    elsewhere = a_job(JobStatus.SUBMITTED, log_group_name="/own", log_region="eu-west-1")

    assert status.running(task, elsewhere, LATER) == task.status


def test_what_the_job_tells_stands_in_the_status() -> None:
    started, stopped = CREATED + timedelta(seconds=5), CREATED + timedelta(seconds=9)
    attempt = JobAttempt(3, "OOM", "Essential container exited", "default/1", started, stopped)
    job = a_job(
        JobStatus.FAILED,
        exit_code=3,
        reason="OOM",
        status_reason="Essential container exited",
        log_stream_name="default/1",
        log_group_name="/own",
        log_region="eu-west-1",
        started_at=started,
        stopped_at=stopped,
        attempts=(attempt,),
    )
    end = Finish(Phase.FAILED, Reason.JOB_FAILED, "OOM (exit code 3)")

    found = status.finished(a_task(), end, job, job.id, LATER)

    assert found.to_json() | {"conditions": []} == {
        "phase": "Failed",
        "jobId": "job-1",
        "jobArn": "arn:aws:batch:us-east-1:123456789012:job/job-1",
        "jobStatus": "FAILED",
        "statusReason": "Essential container exited",
        "exitCode": 3,
        "attempts": [
            {
                "exitCode": 3,
                "reason": "OOM",
                "statusReason": "Essential container exited",
                "logStreamName": "default/1",
                "startedAt": "2026-01-15T12:00:05Z",
                "stoppedAt": "2026-01-15T12:00:09Z",
            }
        ],
        "logStreamName": "default/1",
        "logGroupName": "/own",
        "logRegion": "eu-west-1",
        "createdAt": "2026-01-15T12:00:00Z",
        "startedAt": "2026-01-15T12:00:05Z",
        "stoppedAt": "2026-01-15T12:00:09Z",
        "observedGeneration": 1,
        "conditions": [],
    }
    condition = found.condition(ConditionType.SUCCEEDED)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == (
        ConditionStatus.FALSE,
        Reason.JOB_FAILED,
        "OOM (exit code 3)",
    )


def test_a_lost_job_keeps_its_id_and_what_was_known_of_it() -> None:
    task = after("submitted", "running RUNNING")
    end = Finish(Phase.LOST, Reason.JOB_VANISHED, "AWS Batch no longer knows job job-1")

    found = status.finished(task, end, None, "job-1", LATER)

    assert (found.job_id, found.job_status) == ("job-1", "RUNNING")
    assert found.phase is Phase.LOST


def test_a_condition_of_another_author_is_kept() -> None:
    kept = a_condition(ConditionType.RUNNING, ConditionStatus.UNKNOWN, reason=Reason.WAITING)
    task = a_task(status=a_status(conditions=(kept,)))

    found = status.blocked(task, PROBLEM, LATER)

    assert kept in found.conditions
