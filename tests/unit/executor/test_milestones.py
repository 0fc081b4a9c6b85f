from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchtask_api import BatchTask, ConditionStatus, ConditionType, Phase, Reason
from batchtask_executor.following.milestones import Milestones
from builders import a_condition, a_status, a_submission, a_task

ARN = "arn:aws:batch:us-east-1:123456789012:job/job-1"
GROUP = "/aws/batch/job"
STARTED = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)
TOKEN = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"


def task(
    phase: Phase, blocked: tuple[ConditionStatus, Reason, str] | None = None, **of: Any
) -> BatchTask:
    conditions = [
        a_condition(ConditionType.BLOCKED, status, reason=reason, message=message)
        for status, reason, message in ([blocked] if blocked else [])
    ]
    return a_task(status=a_status(phase, conditions=tuple(conditions), **of))


def told(milestones: Milestones, *states: BatchTask) -> list[tuple[str, str]]:
    return [
        (found.event, found.text) for each in states for found in milestones.passed(each, GROUP)
    ]


def test_a_life_is_told_each_transition_once() -> None:
    submission = a_submission(queue="analytics")
    job: dict[str, Any] = {"job_id": "job-1", "job_arn": ARN, "submission": submission}
    waits = (
        ConditionStatus.TRUE,
        Reason.JOB_RUNNABLE_TOO_LONG,
        "RUNNABLE since 12:00; position 3 of the first 100 in queue analytics",
    )
    moved = (*waits[:2], waits[2].replace("3", "2"))
    over = (ConditionStatus.FALSE, Reason.UNBLOCKED, "")
    ran = {**job, "started_at": STARTED, "log_stream_name": "w/d/1"}

    found = told(
        Milestones(),
        task(Phase.PENDING),
        task(Phase.SUBMITTING, submission=submission),
        task(Phase.SUBMITTED, **job),
        task(Phase.RUNNABLE, **job),
        task(Phase.RUNNABLE, waits, **job),
        task(Phase.RUNNABLE, moved, **job),
        task(Phase.STARTING, over, **job),
        task(Phase.RUNNING, over, **ran),
        task(Phase.RUNNING, over, **ran),
        task(Phase.SUCCEEDED, over, **ran),
        task(Phase.SUCCEEDED, over, **ran),
    )

    console = "https://console.aws.amazon.com"
    log = (
        f"{console}/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group"
        "/$252Faws$252Fbatch$252Fjob/log-events/w$252Fd$252F1"
    )
    link = f"{console}/batch/home?region=us-east-1#jobs/detail/job-1"
    ended = "BatchTask airflow-tasks/bt-1 Succeeded: AWS Batch job job-1, log stream w/d/1."
    assert found == [
        ("batchtask submitted", f"AWS Batch job job-1 in job queue analytics: {link}"),
        ("batchtask blocked", f"JobRunnableTooLong: {waits[2]}"),
        ("batchtask unblocked", "it was blocked by JobRunnableTooLong"),
        ("batchtask started", f"AWS Batch job job-1 runs: {log}"),
        ("batchtask succeeded", f"{ended} Job: {link} Log: {log}"),
    ]


def test_what_was_passed_between_two_looks_is_told_too() -> None:
    found = told(Milestones(), task(Phase.SUCCEEDED, job_id="job-1", started_at=STARTED))

    assert [event for event, _ in found] == [
        "batchtask submitted",
        "batchtask started",
        "batchtask succeeded",
    ]


def test_a_job_that_failed_before_its_start_did_not_start() -> None:
    found = told(Milestones(), task(Phase.FAILED, job_id="job-1"))

    assert [event for event, _ in found] == ["batchtask submitted"]


def test_of_an_adopted_task_only_what_is_new_is_told() -> None:
    throttled = (ConditionStatus.TRUE, Reason.THROTTLED, "slow down")
    milestones = Milestones.since(task(Phase.SUBMITTED, throttled, job_id="job-1"))

    found = told(milestones, task(Phase.RUNNING, job_id="job-1"))

    assert [event for event, _ in found] == ["batchtask unblocked", "batchtask started"]


def test_no_credential_and_no_novel_is_told() -> None:
    blocked = (ConditionStatus.TRUE, Reason.AWS_UNAVAILABLE, f"{TOKEN} " + "x" * 30_000)

    ((_, text),) = told(Milestones(), task(Phase.PENDING, blocked))

    assert "eyJ" not in text
    assert len(text) <= 2000


STATES = st.builds(
    task,
    st.sampled_from(Phase),
    st.none()
    | st.tuples(
        st.sampled_from([ConditionStatus.TRUE, ConditionStatus.FALSE]),
        st.sampled_from(Reason),
        st.just("why"),
    ),
    job_id=st.none() | st.just("job-1"),
)


@given(st.lists(STATES, max_size=200))
def test_whatever_a_task_goes_through_few_events_are_told(states: list[BatchTask]) -> None:
    found = told(Milestones(), *states)

    events = [event for event, _ in found]
    for once in ("batchtask submitted", "batchtask started", "batchtask succeeded"):
        assert events.count(once) <= 1
    blocked = [text for event, text in found if event == "batchtask blocked"]
    assert len(blocked) == len(set(blocked))
    assert events.count("batchtask unblocked") <= len(blocked)
