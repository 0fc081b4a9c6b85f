import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batchtask_api import Attempt, ConditionStatus, ConditionType, Phase, Reason
from batchtask_executor.view.log_lines import line, output_line, task_lines
from builders import CREATED, a_condition, a_status, a_submission, a_task

ARN = "arn:aws:batch:us-east-1:123456789012:job/job-1"
GROUP = "/aws/batch/job"
CONSOLE = "https://console.aws.amazon.com"
JOB = f"{CONSOLE}/batch/home?region=us-east-1#jobs/detail/job-1"
LOG = (
    f"{CONSOLE}/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group"
    "/$252Faws$252Fbatch$252Fjob/log-events/worker$252Fdefault$252F1"
)
TOKEN = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"


def after(minutes: int) -> datetime:
    return CREATED + timedelta(minutes=minutes)


def lines(phase: Phase, *, with_tail: bool = True, **status: Any) -> list[dict[str, Any]]:
    task = a_task(status=a_status(phase, **status))
    return [json.loads(each) for each in task_lines(task, GROUP, with_tail=with_tail)]


def events(found: list[dict[str, Any]]) -> list[str]:
    return [each["event"] for each in found]


def test_a_task_that_waits_says_where_and_why() -> None:
    found = lines(
        Phase.RUNNABLE,
        job_id="job-1",
        job_arn=ARN,
        submission=a_submission(at=after(1), queue="analytics", region="us-east-1"),
        conditions=(
            a_condition(ConditionType.SUBMITTED, reason=Reason.JOB_SUBMITTED, since=after(2)),
            a_condition(
                ConditionType.BLOCKED,
                reason=Reason.JOB_RUNNABLE_TOO_LONG,
                message="position 3 of the first 100 in queue analytics",
                since=after(20),
            ),
        ),
    )

    assert [(each.get("timestamp"), each["level"], each["event"]) for each in found] == [
        (after(0).isoformat(), "info", "BatchTask airflow-tasks/bt-1 was created"),
        (after(1).isoformat(), "info", "Submitting it to job queue analytics in us-east-1"),
        (
            after(2).isoformat(),
            "info",
            f"AWS Batch took it as job job-1: {JOB}",
        ),
        (None, "info", "The job is RUNNABLE: it waits for its turn and for room"),
        (
            after(20).isoformat(),
            "warning",
            "Blocked, JobRunnableTooLong: position 3 of the first 100 in queue analytics",
        ),
    ]


def test_a_failure_has_its_reason_the_way_to_its_output_and_its_last_lines() -> None:
    found = lines(
        Phase.FAILED,
        job_id="job-1",
        job_arn=ARN,
        exit_code=137,
        started_at=after(3),
        stopped_at=after(9),
        log_stream_name="worker/default/1",
        log_tail=("Killed", '{"event": "heartbeat", "timestamp": "2026-01-15T12:08:00Z"}'),
        conditions=(
            a_condition(
                ConditionType.SUCCEEDED,
                ConditionStatus.FALSE,
                reason=Reason.JOB_FAILED,
                message="OutOfMemoryError: Container killed due to memory usage",
                since=after(10),
            ),
        ),
    )

    assert events(found)[1:] == [
        "The job's container started",
        "The last lines of the job's output:",
        "Killed",
        "heartbeat",
        f"The job's output is in {LOG}",
        "Failed, JobFailed, exit code 137: OutOfMemoryError: Container killed due to memory usage",
    ]
    assert found[-1]["level"] == "error"
    assert found[-1]["timestamp"] == after(9).isoformat()


def test_the_last_lines_are_left_out_where_all_are_shown() -> None:
    found = lines(Phase.FAILED, with_tail=False, log_tail=("Killed",))

    assert "Killed" not in events(found)


def test_each_of_several_attempts_is_told() -> None:
    attempts = (
        Attempt(status_reason="Host EC2 (instance i-1) terminated.", stopped_at=after(4)),
        Attempt(exit_code=2, reason="Error", stopped_at=after(8)),
    )

    found = events(lines(Phase.RUNNING, attempts=attempts))

    assert found[-2:] == [
        "Attempt 1 of the job ended: Host EC2 (instance i-1) terminated.",
        "Attempt 2 of the job ended with exit code 2: Error",
    ]


def test_what_was_blocked_once_says_that_it_is_over() -> None:
    over = a_condition(
        ConditionType.BLOCKED, ConditionStatus.FALSE, reason=Reason.UNBLOCKED, since=after(5)
    )

    assert events(lines(Phase.RUNNING, conditions=(over,)))[-1] == "No longer blocked"


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_lines(phase: Phase) -> None:
    assert lines(phase)


def test_a_line_in_airflows_form_stays_as_it_is() -> None:
    structured = '{"timestamp": "2026-01-15T12:08:00Z", "level": "warning", "event": "slow"}'

    assert output_line(structured, after(1)) == structured


@pytest.mark.parametrize("message", ["plain", "{not json", '{"no": "event"}', '{"event": 1}', "{}"])
def test_any_other_line_is_put_into_it(message: str) -> None:
    assert json.loads(output_line(message, after(1))) == {
        "timestamp": after(1).isoformat(),
        "logger": "job",
        "event": message,
    }


def test_no_line_holds_a_credential() -> None:
    for found in (
        line(f"a {TOKEN}"),
        output_line(f"b {TOKEN}"),
        output_line(f'{{"event": "{TOKEN}"}}'),
    ):
        assert "eyJ" not in found
        assert "(redacted)" in found


def test_a_time_is_in_utc() -> None:
    assert json.loads(line("x", datetime(2026, 1, 1, tzinfo=UTC)))["timestamp"].endswith("+00:00")
