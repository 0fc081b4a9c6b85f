"""What local Batch holds: environments, queues, definitions and jobs, each a frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from batchtask_local.batch.retry import RetryStrategy

Document = Mapping[str, Any]
"""A JSON object in AWS's own words, as a request or a reply has it."""


class Status(StrEnum):
    """The states of a job, in their order."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self in {Status.SUCCEEDED, Status.FAILED}

    @property
    def is_placed(self) -> bool:
        """Whether the job holds a place in a compute environment."""
        return self in {Status.STARTING, Status.RUNNING}


@dataclass(frozen=True, slots=True)
class ComputeEnvironment:
    """Where jobs run: a number of vCPUs, counted in thousandths."""

    name: str
    arn: str
    uuid: str
    enabled: bool
    millivcpus: int
    request: Document


@dataclass(frozen=True, slots=True)
class JobQueue:
    """Where jobs wait, for the environments in its order."""

    name: str
    arn: str
    enabled: bool
    priority: int
    environments: tuple[str, ...]
    request: Document

    @property
    def is_fair_share(self) -> bool:
        """Whether shares take turns, instead of first come, first served."""
        return "schedulingPolicyArn" in self.request

    @property
    def time_limits(self) -> Mapping[str, int]:
        """How many seconds its head may be stuck for a reason before it is canceled."""
        actions = self.request.get("jobStateTimeLimitActions", ())
        return {action["reason"]: action["maxTimeSeconds"] for action in actions}


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """One revision of a definition; the request that registered it says the rest."""

    name: str
    revision: int
    arn: str
    active: bool
    request: Document


class Shape(StrEnum):
    """Which of AWS's three ways to describe containers a definition uses."""

    CONTAINER = "containerProperties"
    ECS = "ecsProperties"
    EKS = "eksProperties"


@dataclass(frozen=True, slots=True)
class Container:
    """What a job runs and needs, once its definition and the overrides are merged."""

    shape: Shape
    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    millivcpus: int
    memory_mib: int
    gpus: int
    properties: Document
    """The merged properties in the definition's own shape, as DescribeJobs shows them."""
    overrides_length: int = 0
    """How many characters the overrides have as JSON, which ECS limits."""
    log_options: Mapping[str, str] = field(default_factory=dict)
    """The definition's own for the log driver awslogs."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One entry of dependsOn."""

    job_id: str | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What SubmitJob asked for; the children of an array share their parent's."""

    name: str
    queue: JobQueue
    definition: JobDefinition
    container: Container
    retry: RetryStrategy = field(default_factory=RetryStrategy)
    timeout_seconds: int | None = None
    depends_on: tuple[Dependency, ...] = ()
    array_size: int | None = None
    share: str | None = None
    scheduling_priority: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    propagate_tags: bool = False
    has_too_many_tags: bool = False


class LogStream(NamedTuple):
    """Where in CloudWatch Logs an attempt writes to."""

    group: str
    name: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a job in a compute environment, by one ECS task or pod. Times in ms."""

    task_id: str
    environment: str
    log_stream: LogStream
    started_at: int | None = None
    stopped_at: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None


class EndedBy(StrEnum):
    """What asked a placed job to end before its time."""

    TERMINATE = "terminate"
    TIMEOUT = "timeout"
    RECLAIM = "reclaim"


@dataclass(frozen=True, slots=True)
class Ending:
    """The reason for which a placed job is being ended."""

    by: EndedBy
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. Times are milliseconds since 1970, of the machine's own clock."""

    id: str
    number: int
    """Its place in the order of creation."""
    spec: JobSpec
    created_at: int
    visible_at: int
    """Until then no description and no list has it."""
    status: Status = Status.SUBMITTED
    status_reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    attempts: tuple[Attempt, ...] = ()
    """The attempts that ended."""
    current: Attempt | None = None
    ending: Ending | None = None
    is_cancelled: bool = False
    is_terminated: bool = False
    wish: str | None = None
    """The reason given with a cancellation or termination that hasn't taken effect yet."""
    parent: str | None = None
    index: int | None = None
    children: Mapping[Status, int] | None = None
    """Of an array's parent: how many children are in each state."""
    is_vanished: bool = False

    @property
    def last_attempt(self) -> Attempt | None:
        """The attempt that runs, or the last one of a job that has ended."""
        if self.current is not None or not self.status.has_ended:
            return self.current
        return self.attempts[-1] if self.attempts else None

    def is_visible(self, now: int) -> bool:
        """Tell whether descriptions and lists have it."""
        return not self.is_vanished and now >= self.visible_at
