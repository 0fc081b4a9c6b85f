"""Values for tests: valid by default, each part to be set where it matters."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from batchtask_api import (
    AirflowIdentity,
    BatchTask,
    BatchTaskSpec,
    BatchTaskStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    DeletionPolicy,
    Metadata,
    OwnerReference,
    Phase,
    Reason,
    Submission,
    Workload,
    names,
)
from batchtask_controller.batch import Job, JobRef, JobStatus
from batchtask_controller.tasks import WorkloadSecret

CREATED = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
JOB: Mapping[str, Any] = {"jobQueue": "default", "jobDefinition": "worker:1"}
WORKLOAD = '{"token":"a-token","type":"ExecuteTask"}'


def a_uid(number: int = 1) -> str:
    """The uid of the task of that number."""
    return str(uuid.UUID(int=number, version=4))


def a_task(
    name: str = "bt-1",
    *,
    uid: str | None = None,
    job: Mapping[str, Any] = JOB,
    workload: bool = False,
    container: str | None = None,
    airflow: AirflowIdentity | None = None,
    priority: int = 0,
    cancel: bool = False,
    policy: DeletionPolicy = DeletionPolicy.TERMINATE,
    ttl: int | None = None,
    created: datetime = CREATED,
    deleted: datetime | None = None,
    finalizers: Sequence[str] = (names.FINALIZER,),
    version: int = 1,
    generation: int = 1,
    status: BatchTaskStatus | None = None,
) -> BatchTask:
    """A task as the API server shows it: claimed, and not yet submitted."""
    return BatchTask(
        metadata=Metadata(
            name=name,
            namespace=names.DEFAULT_NAMESPACE,
            uid=uid or a_uid(),
            resource_version=str(version),
            generation=generation,
            finalizers=tuple(finalizers),
            creation_timestamp=created,
            deletion_timestamp=deleted,
        ),
        spec=BatchTaskSpec(
            job=job,
            workload=Workload(secret_name=name, container=container) if workload else None,
            airflow=airflow,
            priority=priority,
            cancel=cancel,
            deletion_policy=policy,
            ttl_seconds_after_finished=ttl,
        ),
        status=status or BatchTaskStatus(),
    )


def an_identity(dag_id: str = "sales", task_id: str = "load", **more: Any) -> AirflowIdentity:
    """The Airflow task instance behind a task."""
    return AirflowIdentity(
        dag_id=dag_id, task_id=task_id, **{"run_id": "manual__1", "try_number": 1} | more
    )


def a_submission(
    *, by: str = "another", at: datetime = CREATED, attempt: int = 1, **more: Any
) -> Submission:
    """An intent to submit."""
    defaults: dict[str, Any] = {
        "job_name": f"bt-1-{a_uid()}-{attempt}",
        "account": "123456789012",
        "region": "us-east-1",
        "queue": "default",
    }
    return Submission(attempt=attempt, by=by, at=at, **defaults | more)


def a_condition(
    kind: ConditionType = ConditionType.SUCCEEDED,
    status: ConditionStatus = ConditionStatus.TRUE,
    *,
    reason: Reason = Reason.JOB_SUCCEEDED,
    since: datetime = CREATED,
    message: str = "",
) -> Condition:
    """A condition."""
    return Condition(
        type=kind, status=status, reason=reason, message=message, last_transition_time=since
    )


def a_status(phase: Phase = Phase.PENDING, **more: Any) -> BatchTaskStatus:
    """A status in that phase."""
    return BatchTaskStatus(phase=phase, **more)


def a_job(status: JobStatus = JobStatus.RUNNABLE, **more: Any) -> Job:
    """A job as AWS Batch describes it."""
    defaults: dict[str, Any] = {
        "id": "job-1",
        "name": f"bt-1-{a_uid()}-1",
        "arn": "arn:aws:batch:us-east-1:123456789012:job/job-1",
        "created_at": CREATED,
    }
    return Job(status=status, **defaults | more)


def a_reference(number: int = 1, **more: Any) -> JobRef:
    """What SubmitJob and ListJobs tell of a job."""
    return JobRef(**{"id": f"job-{number}", "name": f"bt-1-{a_uid()}-{number}"} | more)


def a_secret(
    task: BatchTask,
    *,
    type: str = names.WORKLOAD_SECRET_TYPE,  # noqa: A002 - the Secret's own word
    owner: str | None = None,
    content: str | None = WORKLOAD,
    expires: datetime | None = None,
) -> WorkloadSecret:
    """The workload of a task, owned by it."""
    reference = OwnerReference(
        api_version=names.API_VERSION,
        kind=names.KIND,
        name=task.metadata.name,
        uid=owner or task.metadata.uid,
    )
    return WorkloadSecret(type, (reference,), content, expires)
