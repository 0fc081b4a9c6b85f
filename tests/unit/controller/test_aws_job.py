"""A job of the port, read from what DescribeJobs tells."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from batchtask_controller.aws_job import job
from batchtask_controller.batch import JobAttempt, JobStatus

FAILED_DETAIL: dict[str, Any] = {
    "jobId": "job-1",
    "jobName": "sales-load-1",
    "jobArn": "arn",
    "status": "FAILED",
    "statusReason": "Essential container in task exited",
    "createdAt": 1768478400123,
    "startedAt": 1768478401000,
    "stoppedAt": 1768478402000,
    "isTerminated": True,
    "container": {"exitCode": 137, "reason": "OutOfMemoryError", "logStreamName": "default/1"},
    "attempts": [
        {
            "startedAt": 1768478401000,
            "stoppedAt": 1768478402000,
            "statusReason": "Essential container in task exited",
            "container": {"exitCode": 137, "reason": "OutOfMemoryError", "logStreamName": "l"},
        }
    ],
}


def test_a_job_is_read_whole() -> None:
    found = job(FAILED_DETAIL)

    started, stopped = (dt.datetime(2026, 1, 15, 12, 0, s, tzinfo=dt.UTC) for s in (1, 2))
    assert found.status is JobStatus.FAILED
    assert (found.exit_code, found.reason) == (137, "OutOfMemoryError")
    assert (found.started_at, found.stopped_at) == (started, stopped)
    assert found.created_at == dt.datetime(2026, 1, 15, 12, 0, 0, 123000, tzinfo=dt.UTC)
    assert found.is_cancelled
    assert found.attempts == (
        JobAttempt(
            137, "OutOfMemoryError", "Essential container in task exited", "l", started, stopped
        ),
    )


def test_of_several_containers_the_one_that_failed_speaks() -> None:
    containers = [
        {"name": "sidecar", "exitCode": 0, "logStreamName": "s"},
        {"name": "main", "exitCode": 3, "reason": "Error", "logStreamName": "m"},
    ]
    detail = {key: value for key, value in FAILED_DETAIL.items() if key != "container"}
    properties = {"taskProperties": [{"containers": containers}]}
    attempts = [{"taskProperties": [{"containers": containers}], "statusReason": "exited"}]

    found = job({**detail, "ecsProperties": properties, "attempts": attempts})

    assert (found.exit_code, found.reason, found.log_stream_name) == (3, "Error", "m")
    assert [each.exit_code for each in found.attempts] == [3]


def elsewhere(**options: str) -> dict[str, Any]:
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}}


@pytest.mark.parametrize(
    "shown",
    [
        lambda container: {"container": container},
        lambda container: {"ecsProperties": {"taskProperties": [{"containers": [container]}]}},
    ],
    ids=["container", "ecs"],
)
def test_where_a_definition_logs_to_is_read(shown: Callable[[Any], dict[str, Any]]) -> None:
    detail = {key: FAILED_DETAIL[key] for key in ("jobId", "jobName", "status")}
    options = {"awslogs-group": "/own", "awslogs-region": "eu-west-1"}

    told = job(detail | shown(elsewhere(**options)))
    in_part = job(detail | shown(elsewhere(**{"awslogs-stream-prefix": "own"})))
    by_another_driver = job(detail | shown({"logConfiguration": {"logDriver": "splunk"}}))

    assert (told.log_group_name, told.log_region) == ("/own", "eu-west-1")
    for found in (in_part, by_another_driver):
        assert (found.log_group_name, found.log_region) == (None, None)


def test_a_job_on_eks_tells_its_attempts_too() -> None:
    containers = [{"name": "main", "exitCode": 9, "reason": "Error"}]
    detail = {key: FAILED_DETAIL[key] for key in ("jobId", "jobName", "status")}
    properties = {"podProperties": {"containers": containers}}
    attempts = [{"containers": containers, "podName": "pod", "statusReason": "exited"}]

    found = job({**detail, "eksProperties": properties, "eksAttempts": attempts, "attempts": []})

    assert found.exit_code == 9
    assert [(each.exit_code, each.status_reason) for each in found.attempts] == [(9, "exited")]


def test_a_job_that_only_waits_has_little_to_tell() -> None:
    found = job({"jobId": "job-1", "jobName": "n", "status": "RUNNABLE"})

    assert (found.status, found.exit_code, found.attempts) == (JobStatus.RUNNABLE, None, ())


@pytest.mark.parametrize(
    ("more", "status"), [({}, JobStatus.PENDING), ({"startedAt": 1}, JobStatus.RUNNING)]
)
def test_a_status_that_aws_has_added_since_is_no_end(
    more: dict[str, int], status: JobStatus, caplog: pytest.LogCaptureFixture
) -> None:
    found = job({"jobId": "job-1", "jobName": "n", "status": "HIBERNATING", **more})

    assert found.status is status
    assert "HIBERNATING" in caplog.text
