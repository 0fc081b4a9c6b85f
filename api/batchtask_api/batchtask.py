"""The BatchTask as frozen values, the one source of its schema."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from batchtask_api import names
from batchtask_api.phase import ConditionStatus, ConditionType, Phase

_INT64: dict[str, JsonValue] = {"format": "int64"}
_KEYED_BY_TYPE: dict[str, JsonValue] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}


class Resource(BaseModel):
    """A part of the resource: frozen, camelCase outside, and deaf to fields of later versions."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
    )

    def to_json(self) -> dict[str, Any]:
        """The object as Kubernetes takes it: camelCase, times in RFC 3339, nothing that is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class DeletionPolicy(StrEnum):
    """What becomes of the job when its task is deleted."""

    TERMINATE = "Terminate"
    RETAIN = "Retain"


class Workload(Resource):
    """The Airflow workload that the job runs, by reference: it holds a credential."""

    secret_name: str = Field(
        min_length=1,
        max_length=253,
        description=(
            "Name of the Secret that holds the workload; it must equal metadata.name. The Secret "
            f"has the type {names.WORKLOAD_SECRET_TYPE}, the key {names.WORKLOAD_SECRET_KEY} and "
            "an ownerReference to this task."
        ),
    )
    container: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description=(
            "Which container of ecsPropertiesOverride or eksPropertiesOverride runs the workload; "
            "the first one when absent."
        ),
    )


class AirflowIdentity(Resource):
    """The task instance that this task stands for, with Airflow's exact values."""

    dag_id: str = Field(description="The DAG's id.")
    task_id: str = Field(description="The task's id.")
    run_id: str = Field(description="The DAG run's id.")
    map_index: int = Field(default=-1, description="Index of a mapped task, -1 of any other.")
    try_number: int = Field(ge=0, description="Airflow's count of tries.")
    task_instance_id: str | None = Field(default=None, description="The task instance's UUID.")
    executor_name: str | None = Field(
        default=None, description="Name of the executor in Airflow's configuration."
    )


class BatchTaskSpec(Resource):
    """What is wanted. Immutable, but for cancel, priority, deletionPolicy and the TTL."""

    job: Mapping[str, Any] = Field(
        description="The request of AWS Batch's SubmitJob, with its own names; jobName is ours."
    )
    workload: Workload | None = Field(
        default=None, description="The Airflow workload to run; absent when the job has a command."
    )
    airflow: AirflowIdentity | None = Field(
        default=None, description="The Airflow task instance behind this task."
    )
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] = Field(
        default=0, description="Among the tasks that wait for submission, higher goes first."
    )
    cancel: bool = Field(
        default=False, description="Set to true to end the job; it can't be set back."
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.TERMINATE,
        description="Terminate ends the job when the task is deleted; Retain leaves it running.",
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(
        default=None,
        description=(
            "Seconds after its end at which the controller deletes the task. Default: 600 after a "
            "success, 86400 after anything else."
        ),
    )


class Submission(Resource):
    """The intent to submit, written before SubmitJob is called."""

    attempt: int = Field(ge=1, description="Counts the intents of this task.")
    job_name: str = Field(description="The job's name: how it is found when the reply is lost.")
    by: str = Field(description="The controller process that wrote the intent.")
    at: datetime = Field(description="When it was written.")
    account: str | None = Field(default=None, description="The AWS account asked.")
    region: str | None = Field(default=None, description="The AWS region asked.")
    queue: str = Field(description="The job queue asked.")


class Attempt(Resource):
    """One try of the job inside AWS Batch."""

    exit_code: int | None = Field(default=None, description="The container's exit code.")
    reason: str | None = Field(default=None, description="AWS's words on the container's end.")
    status_reason: str | None = Field(default=None, description="AWS's words on the attempt's end.")
    log_stream_name: str | None = Field(default=None, description="CloudWatch log stream.")
    started_at: datetime | None = Field(default=None, description="When its container started.")
    stopped_at: datetime | None = Field(default=None, description="When its container stopped.")


class Condition(Resource):
    """Kubernetes' condition, keyed by its type."""

    type: ConditionType = Field(description="What the condition is about.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: str = Field(min_length=1, description="Why, in one CamelCase word for programs.")
    message: str = Field(default="", max_length=32768, description="Why, for people.")
    last_transition_time: datetime = Field(description="When the status last changed.")
    observed_generation: int | None = Field(
        default=None,
        description="The metadata.generation that this speaks of.",
        json_schema_extra=_INT64,
    )


class BatchTaskStatus(Resource):
    """What was seen; only the controller writes it."""

    phase: Phase = Field(default=Phase.PENDING, description="Where the task stands, in one word.")
    submission: Submission | None = Field(
        default=None, description="The intent to submit, written before the send."
    )
    job_id: str | None = Field(default=None, description="The job's id; written once.")
    job_arn: str | None = Field(default=None, description="The job's ARN.")
    job_status: str | None = Field(
        default=None,
        description=(
            "AWS Batch's status: SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED or "
            "FAILED."
        ),
    )
    status_reason: str | None = Field(default=None, description="AWS Batch's statusReason.")
    exit_code: int | None = Field(default=None, description="The last container's exit code.")
    attempts: tuple[Attempt, ...] | None = Field(
        default=None, description="The job's attempts inside AWS Batch, oldest first."
    )
    log_tail: tuple[str, ...] | None = Field(
        default=None, description="After a failure, the last lines of the output, at most 4 KiB."
    )
    log_stream_name: str | None = Field(default=None, description="CloudWatch log stream.")
    log_group_name: str | None = Field(
        default=None, description="The stream's log group, where the job definition names one."
    )
    log_region: str | None = Field(
        default=None, description="The stream's region, where the job definition names one."
    )
    created_at: datetime | None = Field(default=None, description="When AWS Batch took the job.")
    started_at: datetime | None = Field(default=None, description="When its container started.")
    stopped_at: datetime | None = Field(default=None, description="When the job ended.")
    observed_generation: int | None = Field(
        default=None,
        description="The metadata.generation that this status speaks of.",
        json_schema_extra=_INT64,
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        description="Submitted, Running, Blocked and Succeeded.",
        json_schema_extra=_KEYED_BY_TYPE,
    )

    def condition(self, of: ConditionType) -> Condition | None:
        """The condition of that type, if it was ever written."""
        return next((condition for condition in self.conditions if condition.type is of), None)


class OwnerReference(Resource):
    """The part of Kubernetes' ownerReference that we read and write."""

    api_version: str
    kind: str
    name: str
    uid: str


class Metadata(Resource):
    """The part of Kubernetes' ObjectMeta that we read and write."""

    name: str
    namespace: str
    uid: str = ""
    resource_version: str = ""
    generation: int | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class BatchTask(Resource):
    """One Airflow task instance's queuing, or one command, to run as one AWS Batch job."""

    metadata: Metadata
    spec: BatchTaskSpec
    status: BatchTaskStatus = Field(default_factory=BatchTaskStatus)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the object as the API server sends it.

        Raises:
            pydantic.ValidationError: the object doesn't fit the schema.
        """
        return cls.model_validate(body)

    @property
    def is_deleting(self) -> bool:
        """Whether its deletion was asked for."""
        return self.metadata.deletion_timestamp is not None

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer holds it."""
        return names.FINALIZER in self.metadata.finalizers

    def __str__(self) -> str:
        return f"{self.metadata.namespace}/{self.metadata.name}"
