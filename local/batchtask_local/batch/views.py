"""Jobs as DescribeJobs and ListJobs show them."""

from collections.abc import Mapping
from typing import Any

from batchtask_local.batch.arns import Arns
from batchtask_local.batch.model import Attempt, Document, Job, JobSpec, Shape, Status

_STATES_WITH_DEFINITION = frozenset(Status) - {Status.SUBMITTED, Status.PENDING, Status.RUNNABLE}
"""ListJobs leaves out the definition of jobs that wait (aws/aws-sdk-js#4193)."""


def job_detail(job: Job, arns: Arns, tags: Mapping[str, str]) -> Document:
    """Return a job as DescribeJobs shows it."""
    spec = job.spec
    detail: dict[str, Any] = {
        "jobArn": arns.job(job.id),
        "jobName": spec.name,
        "jobId": job.id,
        "jobQueue": spec.queue.arn,
        "status": job.status,
        "attempts": [],
        "createdAt": job.created_at,
        "dependsOn": [_dependency(entry.job_id, entry.type) for entry in spec.depends_on],
        "jobDefinition": spec.definition.arn,
        "parameters": dict(spec.parameters),
        "retryStrategy": _retry_strategy(spec),
        "tags": dict(tags),
        "propagateTags": spec.propagate_tags,
        "platformCapabilities": spec.definition.request.get("platformCapabilities", ["EC2"]),
        "isCancelled": job.is_cancelled,
        "isTerminated": job.is_terminated,
    }
    detail.update(_containers(job, arns))
    if spec.timeout_seconds is not None:
        detail["timeout"] = {"attemptDurationSeconds": spec.timeout_seconds}
    if spec.share is not None:
        detail["shareIdentifier"] = spec.share
        detail["schedulingPriority"] = spec.scheduling_priority
    detail.update(_present(statusReason=job.status_reason, **_times(job)))
    detail.update(_array(job))
    return detail


def job_summary(job: Job, arns: Arns, *, is_filtered: bool) -> Document:
    """Return a job as ListJobs shows it; a filtered list has no times (boto/boto3#3315)."""
    summary: dict[str, Any] = {
        "jobArn": arns.job(job.id),
        "jobId": job.id,
        "jobName": job.spec.name,
        "createdAt": job.created_at,
        "status": job.status,
    }
    if job.status in _STATES_WITH_DEFINITION:
        summary["jobDefinition"] = job.spec.definition.arn
    if not is_filtered:
        summary.update(_present(**_times(job)))
    last = job.last_attempt
    if last is not None and job.status.has_ended:
        summary["container"] = _present(exitCode=last.exit_code, reason=last.reason)
    summary.update(_present(statusReason=job.status_reason, shareIdentifier=job.spec.share))
    for member, value in (("isCancelled", job.is_cancelled), ("isTerminated", job.is_terminated)):
        if value:
            summary[member] = True
    summary.update(_array(job))
    return summary


def _containers(job: Job, arns: Arns) -> Document:
    """Return the members that show containers and attempts, in the definition's shape."""
    match job.spec.container.shape:
        case Shape.CONTAINER:
            attempts = [_container_attempt(attempt, arns) for attempt in job.attempts]
            return {"container": _container(job, arns), "attempts": attempts}
        case Shape.ECS:
            ecs = [_ecs_attempt(attempt, job.spec, arns) for attempt in job.attempts]
            return {"container": {}, "ecsProperties": _ecs_properties(job, arns), "attempts": ecs}
        case Shape.EKS:
            eks = [_eks_attempt(attempt, job.spec, arns) for attempt in job.attempts]
            return {"eksProperties": _eks_properties(job), "eksAttempts": eks}


# containerProperties


def _container(job: Job, arns: Arns) -> Document:
    lists = ("volumes", "environment", "mountPoints", "ulimits", "resourceRequirements", "secrets")
    return {
        **{member: [] for member in lists},
        "command": [],
        **job.spec.container.properties,
        "networkInterfaces": [],
        **_task(job.last_attempt, arns),
        **_result(job.last_attempt),
    }


def _container_attempt(attempt: Attempt, arns: Arns) -> Document:
    container = {"networkInterfaces": [], **_task(attempt, arns), **_result(attempt)}
    return {"container": container, **_attempt_times(attempt)}


# ecsProperties


def _ecs_properties(job: Job, arns: Arns) -> Document:
    properties = job.spec.container.properties
    task = properties["taskProperties"][0]
    containers = [
        {**entry, **(_result(job.last_attempt) if _is_main(entry, job.spec) else {})}
        for entry in task["containers"]
    ]
    shown = {**task, "containers": containers, **_task(job.last_attempt, arns)}
    return {**properties, "taskProperties": [shown]}


def _ecs_attempt(attempt: Attempt, spec: JobSpec, arns: Arns) -> Document:
    container = {"name": spec.container.name, "networkInterfaces": [], **_result(attempt)}
    task = {**_task(attempt, arns), "containers": [container]}
    return {"container": {}, "taskProperties": [task], **_attempt_times(attempt)}


# eksProperties


def _eks_properties(job: Job) -> Document:
    properties = job.spec.container.properties
    pod = properties["podProperties"]
    last = job.last_attempt
    containers = [
        {**entry, **(_outcome(last) if _is_main(entry, job.spec) else {})}
        for entry in pod["containers"]
    ]
    shown = {**pod, "containers": containers}
    if last is not None:
        shown.update(podName=_pod(last), nodeName="local")
    return {**properties, "podProperties": shown}


def _eks_attempt(attempt: Attempt, spec: JobSpec, arns: Arns) -> Document:
    container = {"name": spec.container.name, **_outcome(attempt)}
    return {
        "containers": [container],
        "initContainers": [],
        "eksClusterArn": arns.cluster(attempt.environment).replace(":ecs:", ":eks:"),
        "podName": _pod(attempt),
        "nodeName": "local",
        **_attempt_times(attempt),
    }


def _pod(attempt: Attempt) -> str:
    return f"aws-batch.{attempt.task_id}"


# Parts


def _is_main(entry: Document, spec: JobSpec) -> bool:
    return bool(entry.get("name", spec.container.name) == spec.container.name)


def _task(attempt: Attempt | None, arns: Arns) -> Document:
    """Return what is known from STARTING on."""
    if attempt is None:
        return {}
    return {
        "containerInstanceArn": arns.instance(attempt.environment),
        "taskArn": arns.task(attempt.environment, attempt.task_id),
    }


def _result(attempt: Attempt | None) -> Document:
    """Return what is known from RUNNING on: AWS names the log stream only then."""
    if attempt is None:
        return {}
    stream = attempt.log_stream.name if attempt.started_at is not None else None
    return {**_present(logStreamName=stream), **_outcome(attempt)}


def _outcome(attempt: Attempt | None) -> Document:
    if attempt is None:
        return {}
    return _present(exitCode=attempt.exit_code, reason=attempt.reason)


def _attempt_times(attempt: Attempt) -> Document:
    return _present(
        startedAt=attempt.started_at,
        stoppedAt=attempt.stopped_at,
        statusReason=attempt.status_reason,
    )


def _times(job: Job) -> dict[str, Any]:
    return {"startedAt": job.started_at, "stoppedAt": job.stopped_at}


def _array(job: Job) -> Document:
    if job.index is not None:
        return {"arrayProperties": {"index": job.index}}
    if job.spec.array_size is None:
        return {}
    counts = job.children or {}
    summary = {status.value: counts.get(status, 0) for status in Status}
    return {"arrayProperties": {"size": job.spec.array_size, "statusSummary": summary}}


def _retry_strategy(spec: JobSpec) -> Document:
    rules = [
        {
            **_present(
                onStatusReason=rule.on_status_reason,
                onReason=rule.on_reason,
                onExitCode=rule.on_exit_code,
            ),
            "action": "RETRY" if rule.retries else "EXIT",
        }
        for rule in spec.retry.rules
    ]
    return {"attempts": spec.retry.attempts, "evaluateOnExit": rules}


def _dependency(job_id: str | None, kind: str | None) -> Document:
    return _present(jobId=job_id, type=kind)


def _present(**members: object) -> dict[str, Any]:
    """Return the members that have a value: AWS leaves the others out."""
    return {name: value for name, value in members.items() if value is not None}
