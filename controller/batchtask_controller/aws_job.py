"""A job as DescribeJobs tells it, whichever shape its definition has."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from batchtask_api import names
from batchtask_controller.batch import Job, JobAttempt, JobRef, JobStatus

log = logging.getLogger(__name__)


def job(detail: Mapping[str, Any]) -> Job:
    """The job of a DescribeJobs entry, whichever shape its definition has."""
    attempts = tuple(map(_attempt, detail.get("attempts") or detail.get("eksAttempts", ())))
    container = _container(detail)
    logs = _log_options(container)
    return Job(
        id=detail["jobId"],
        name=detail["jobName"],
        arn=detail.get("jobArn"),
        status=_status(detail),
        status_reason=detail.get("statusReason"),
        exit_code=container.get("exitCode"),
        reason=container.get("reason"),
        log_stream_name=container.get("logStreamName"),
        log_group_name=logs.get("awslogs-group"),
        log_region=logs.get("awslogs-region"),
        created_at=_time(detail.get("createdAt")),
        started_at=_time(detail.get("startedAt")),
        stopped_at=_time(detail.get("stoppedAt")),
        attempts=attempts,
        is_cancelled=bool(detail.get("isCancelled") or detail.get("isTerminated")),
        tags=_own(detail.get("tags", {})),
    )


def reference(summary: Mapping[str, Any]) -> JobRef:
    """The job of a ListJobs entry."""
    return JobRef(
        summary["jobId"],
        summary["jobName"],
        summary.get("jobArn"),
        _time(summary.get("createdAt")),
    )


def _own(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Users' tags are of no use here, and a hundred thousand jobs have many."""
    ours = f"{names.GROUP}/"
    return tuple(sorted((name, value) for name, value in tags.items() if name.startswith(ours)))


def _status(detail: Mapping[str, Any]) -> JobStatus:
    """AWS's word; one that AWS has added since is a stage before the end, whatever it means."""
    word = detail["status"]
    if word in set(JobStatus):
        return JobStatus(word)
    log.warning("job has a status unknown here: %s", word, extra={"job_id": detail["jobId"]})
    return JobStatus.RUNNING if "startedAt" in detail else JobStatus.PENDING


def _container(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """The job's container: of several, the one that failed, else the first."""
    if "container" in detail:
        return dict(detail["container"])
    tasks = detail.get("ecsProperties", {}).get("taskProperties", ())
    several = [container for task in tasks for container in task.get("containers", ())]
    several += detail.get("eksProperties", {}).get("podProperties", {}).get("containers", ())
    return _telling(several)


def _log_options(container: Mapping[str, Any]) -> Mapping[str, str]:
    """What the definition sets for the log driver awslogs; other drivers have other options."""
    options: Mapping[str, str] = container.get("logConfiguration", {}).get("options", {})
    return options


def _attempt(detail: Mapping[str, Any]) -> JobAttempt:
    tasks = detail.get("taskProperties", ())
    several = [container for task in tasks for container in task.get("containers", ())]
    container = detail.get("container") or _telling([*several, *detail.get("containers", ())])
    return JobAttempt(
        exit_code=container.get("exitCode"),
        reason=container.get("reason"),
        status_reason=detail.get("statusReason"),
        log_stream_name=container.get("logStreamName"),
        started_at=_time(detail.get("startedAt")),
        stopped_at=_time(detail.get("stoppedAt")),
    )


def _telling(containers: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    listed = list(containers)
    failed = [container for container in listed if container.get("exitCode")]
    return next(iter([*failed, *listed]), {})


def _time(milliseconds: int | None) -> datetime | None:
    """AWS Batch's times are milliseconds since 1970."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
