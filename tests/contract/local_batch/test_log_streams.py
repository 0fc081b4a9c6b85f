"""What jobs print, as CloudWatch Logs' GetLogEvents gives it back."""

import pytest
from types_boto3_logs import CloudWatchLogsClient

from batchtask_local.batch import LocalBatchHandle
from contract.local_batch.support import (
    Jobs,
    batch_client,
    error,
    logging_to,
    make_definition,
    messages,
    until,
)

GROUP = "/aws/batch/job"


def test_output_and_errors_are_one_stream(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.wait(jobs.shell("echo out; echo err >&2; printf 'no newline'"))

    assert messages(logs, job["container"]["logStreamName"]) == ["out", "err", "no newline"]


def test_lines_can_be_read_while_the_job_runs(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.wait(jobs.shell("echo early; sleep 60"), "RUNNING")
    stream = job["container"]["logStreamName"]

    until(lambda: messages(logs, stream) == ["early"], lambda: "no line came")


def test_a_stream_is_read_page_by_page_until_the_token_stays(
    jobs: Jobs, logs: CloudWatchLogsClient
) -> None:
    job = jobs.wait(jobs.shell("seq 1 25"))
    stream = job["container"]["logStreamName"]
    lines: list[str] = []
    token, previous = "f/0/s", ""
    while token != previous:
        previous = token
        page = logs.get_log_events(
            logGroupName=GROUP, logStreamName=stream, startFromHead=True, limit=10, nextToken=token
        )
        lines += [event["message"] for event in page["events"]]
        token = page["nextForwardToken"]

    assert lines == [str(number) for number in range(1, 26)]


def test_the_last_lines_come_first_without_start_from_head(
    jobs: Jobs, logs: CloudWatchLogsClient
) -> None:
    job = jobs.wait(jobs.shell("seq 1 25"))

    page = logs.get_log_events(
        logGroupName=GROUP, logStreamName=job["container"]["logStreamName"], limit=2
    )

    assert [event["message"] for event in page["events"]] == ["24", "25"]


def test_events_have_the_time_of_the_job(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.run("echo", "hi")

    (event,) = logs.get_log_events(
        logGroupName=GROUP, logStreamName=job["container"]["logStreamName"]
    )["events"]

    assert job["createdAt"] <= event["timestamp"] <= job["stoppedAt"]


def test_bytes_that_are_no_text_are_shown_as_such(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.run("printf", r"\377\n")

    assert messages(logs, job["container"]["logStreamName"]) == ["\N{REPLACEMENT CHARACTER}"]


def test_a_long_line_becomes_several_events(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.run("python", "-c", "print('x' * 600_000)")

    lines = messages(logs, job["container"]["logStreamName"])

    assert len(lines) == 3
    assert sum(map(len, lines)) == 600_000


def test_a_background_process_does_not_hold_the_job_up(
    jobs: Jobs, logs: CloudWatchLogsClient
) -> None:
    job = jobs.wait(jobs.shell("sleep 60 & echo done"))

    assert job["status"] == "SUCCEEDED"
    assert messages(logs, job["container"]["logStreamName"]) == ["done"]


def test_a_definitions_own_group_and_prefix_hold_the_stream(
    batch: LocalBatchHandle, jobs: Jobs, logs: CloudWatchLogsClient
) -> None:
    own = logging_to("/own", **{"awslogs-stream-prefix": "mine", "awslogs-region": "us-east-1"})
    make_definition(batch_client(batch.url), "logs-elsewhere", **own)

    container = jobs.run("echo", "hi", jobDefinition="logs-elsewhere")["container"]

    stream = container["logStreamName"]
    assert stream.startswith("mine/default/")
    assert container["logConfiguration"] == own["containerProperties"]["logConfiguration"]
    assert messages(logs, stream, "/own") == ["hi"]
    code, said = error(logs.get_log_events, logGroupName=GROUP, logStreamName=stream)
    assert (code, "stream" in said) == ("ResourceNotFoundException", True)


@pytest.mark.parametrize("group", [GROUP, "/other"])
def test_a_stream_that_is_not_there_is_refused(logs: CloudWatchLogsClient, group: str) -> None:
    code, _ = error(logs.get_log_events, logGroupName=group, logStreamName="nothing")

    assert code == "ResourceNotFoundException"


def test_a_stream_is_a_file_too(batch: LocalBatchHandle, jobs: Jobs) -> None:
    stream = jobs.run("echo", "hi")["container"]["logStreamName"]

    assert (batch.directory / "logs" / f"{stream}.log").read_text() == "hi\n"
