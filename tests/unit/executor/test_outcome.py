from datetime import UTC, datetime
from typing import Any

import pytest

from batchtask_api import (
    Attempt,
    BatchTask,
    BatchTaskSpec,
    BatchTaskStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    Metadata,
    Phase,
    Reason,
    Submission,
)
from batchtask_executor.following.outcome import (
    Failed,
    Queued,
    Running,
    Stopped,
    Succeeded,
    gone,
    outcome,
    vanished,
)

WAITING = {Phase.PENDING, Phase.SUBMITTING, Phase.SUBMITTED, Phase.RUNNABLE, Phase.STARTING}


def task(**status: Any) -> BatchTask:
    return BatchTask(
        metadata=Metadata(name="bt-1", namespace="tasks"),
        spec=BatchTaskSpec(job={}),
        status=BatchTaskStatus(**status),
    )


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_its_meaning(phase: Phase) -> None:
    expected: type
    if phase in WAITING:
        expected = Queued
    elif phase is Phase.RUNNING:
        expected = Running
    elif phase is Phase.SUCCEEDED:
        expected = Succeeded
    elif phase is Phase.CANCELLED:
        expected = Stopped
    else:
        expected = Failed

    assert isinstance(outcome(task(phase=phase)), expected)


def a_condition(kind: ConditionType, status: ConditionStatus, reason: Reason) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message="words",
        last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_what_was_ended_on_purpose_is_told_from_what_may_do_better(reason: Reason) -> None:
    ended = a_condition(ConditionType.SUCCEEDED, ConditionStatus.FALSE, reason)

    found = outcome(task(phase=Phase.FAILED, conditions=(ended,)))

    on_purpose = {Reason.INVALID_SPEC, Reason.NOT_ALLOWED, Reason.CANCELLED}
    assert isinstance(found, Stopped if reason in on_purpose else Failed)


def test_a_failure_after_a_cancel_was_asked_for_is_on_purpose() -> None:
    failed = task(phase=Phase.FAILED)
    spec = failed.spec.model_copy(update={"cancel": True})

    assert isinstance(outcome(failed.model_copy(update={"spec": spec})), Stopped)


@pytest.mark.parametrize("status", list(ConditionStatus))
@pytest.mark.parametrize("reason", [Reason.TOKEN_EXPIRING, Reason.JOB_RUNNABLE_TOO_LONG])
def test_a_task_that_waits_says_why_and_whether_it_lacks_a_token(
    status: ConditionStatus, reason: Reason
) -> None:
    blocked = a_condition(ConditionType.BLOCKED, status, reason)

    found = outcome(task(phase=Phase.PENDING, conditions=(blocked,), status_reason="aws"))

    is_blocked = status is ConditionStatus.TRUE
    assert found == Queued(
        "words" if is_blocked else "aws",
        lacks_token=is_blocked and reason is Reason.TOKEN_EXPIRING,
    )


def test_a_task_with_an_intent_may_have_a_job() -> None:
    intent = Submission(
        attempt=1, job_name="j", by="c", at=datetime(2026, 1, 1, tzinfo=UTC), queue="q"
    )

    assert outcome(task(phase=Phase.SUBMITTING, submission=intent)) == Queued(is_submitted=True)


def test_a_failure_says_all_that_is_known_each_thing_once() -> None:
    ended = Condition(
        type=ConditionType.SUCCEEDED,
        status=ConditionStatus.FALSE,
        reason=Reason.JOB_FAILED,
        message="Essential container in task exited",
        last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    failed = task(
        phase=Phase.FAILED,
        job_id="1a2b",
        status_reason="Essential container in task exited",
        exit_code=137,
        attempts=(Attempt(reason="OutOfMemoryError: Container killed due to memory usage"),),
        log_stream_name="worker/default/9",
        conditions=(ended,),
    )

    assert outcome(failed) == Failed(
        "BatchTask tasks/bt-1 Failed: AWS Batch job 1a2b, reason JobFailed, exit code 137, "
        "log stream worker/default/9. Essential container in task exited. "
        "OutOfMemoryError: Container killed due to memory usage"
    )


def test_an_end_without_a_job_says_so() -> None:
    assert outcome(task(phase=Phase.CANCELLED)) == Stopped(
        "BatchTask tasks/bt-1 Cancelled: no AWS Batch job"
    )


def test_a_task_that_went_after_its_end_has_that_end() -> None:
    assert isinstance(vanished(task(phase=Phase.SUCCEEDED)), Succeeded)


def test_a_task_that_went_before_its_end_failed() -> None:
    assert vanished(task(phase=Phase.RUNNING, job_id="1a2b")) == Stopped(
        "BatchTask tasks/bt-1, whose AWS Batch job is 1a2b, was deleted before its end was seen"
    )
    assert gone("bt-1") == Stopped("BatchTask bt-1 was deleted before its end was seen")


def test_a_failure_links_to_the_job_and_to_what_it_wrote() -> None:
    failed = task(
        phase=Phase.FAILED,
        job_id="1a2b",
        job_arn="arn:aws:batch:eu-west-1:123456789012:job/1a2b",
        exit_code=1,
        status_reason="Essential container in task exited",
        attempts=(Attempt(log_stream_name="worker/default/9"),),
    )

    found = outcome(failed, "/ours")

    assert found == Failed(
        "BatchTask tasks/bt-1 Failed: AWS Batch job 1a2b, exit code 1, log stream "
        "worker/default/9. Essential container in task exited. "
        "Job: https://console.aws.amazon.com/batch/home?region=eu-west-1#jobs/detail/1a2b "
        "Log: https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups"
        "/log-group/$252Fours/log-events/worker$252Fdefault$252F9"
    )
    assert vanished(failed, "/ours") == found


def test_the_link_goes_where_the_definition_logs_to() -> None:
    failed = task(
        phase=Phase.FAILED,
        job_id="1a2b",
        job_arn="arn:aws:batch:eu-west-1:123456789012:job/1a2b",
        log_stream_name="own/default/9",
        log_group_name="/its/own",
        log_region="us-east-1",
    )

    found = outcome(failed, "/ours")

    assert isinstance(found, Failed)
    assert "log stream own/default/9" in found.info
    assert found.info.endswith(
        "cloudwatch/home?region=us-east-1#logsV2:log-groups"
        "/log-group/$252Fits$252Fown/log-events/own$252Fdefault$252F9"
    )


def test_what_the_controller_has_put_together_is_not_said_again() -> None:
    words = "OutOfMemoryError: killed; Essential container in task exited (exit code 137)"
    ended = Condition(
        type=ConditionType.SUCCEEDED,
        status=ConditionStatus.FALSE,
        reason=Reason.JOB_FAILED,
        message=words,
        last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    failed = task(
        phase=Phase.FAILED,
        status_reason="Essential container in task exited",
        attempts=(Attempt(reason="OutOfMemoryError: killed"),),
        conditions=(ended,),
    )

    found = outcome(failed)

    assert isinstance(found, Failed)
    assert found.info.endswith(f"reason JobFailed. {words}")


def test_no_credential_stands_in_a_failure() -> None:
    token = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"

    found = outcome(task(phase=Phase.FAILED, status_reason=f"exec: --json-string {token}"))

    assert isinstance(found, Failed)
    assert found.info.endswith("exec: --json-string (redacted)")
