"""The port to AWS Batch, in this project's words: what the controller asks and what can go wrong.

Errors, one for each thing that the caller does next::

    BatchError
    ├── Unsent            the call had no effect; it is safe to make it again
    │   ├── Throttled     ... later, and slower
    │   ├── Unavailable   ... later: no connection, or AWS answered that it can't now
    │   └── Denied        ... once a person has mended credentials or rights
    ├── Rejected          the request is wrong; making it again is of no use
    ├── NotFound          what it names is not there
    └── OutcomeUnknown    it may or may not have had its effect: look before doing it again
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from batchtask_api import Reason


class BatchError(Exception):
    """A call to AWS Batch failed; its text is AWS's own and fit for a condition's message."""

    reason: Reason = Reason.AWS_UNAVAILABLE

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class Unsent(BatchError):
    """The call is proven to have had no effect."""


class Throttled(Unsent):
    """AWS asks for fewer calls a second."""

    reason = Reason.THROTTLED

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Unsent):
    """AWS could not be reached, or could not serve the call for now."""


class Denied(Unsent):
    """AWS refused the credentials, or the right to make this call."""

    reason = Reason.ACCESS_DENIED


class Rejected(BatchError):
    """AWS refused the request for what it says."""

    reason = Reason.INVALID_SPEC


class NotFound(BatchError):
    """AWS does not know the queue that the call names."""

    reason = Reason.INVALID_SPEC


class OutcomeUnknown(BatchError):
    """The call was sent and no readable answer came."""

    reason = Reason.OUTCOME_UNKNOWN


class JobStatus(StrEnum):
    """AWS Batch's own words, in their order."""

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
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED}


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """One try of a job inside AWS Batch."""

    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None
    log_stream_name: str | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where in CloudWatch Logs a container writes to."""

    name: str
    group: str | None = None
    """None: the definition names none."""
    region: str | None = None
    """None: the job's own, unless the definition names one."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as AWS Batch describes it."""

    id: str
    name: str
    status: JobStatus
    arn: str | None = None
    status_reason: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    log_stream_name: str | None = None
    log_group_name: str | None = None
    log_region: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    attempts: tuple[JobAttempt, ...] = ()
    is_cancelled: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    """Those of this project's own, by name."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A SubmitJob call, whole. Its parameters hold the workload's token: never log them."""

    name: str
    parameters: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"JobRequest(name={self.name!r})"


@dataclass(frozen=True, slots=True)
class JobRef:
    """What SubmitJob and ListJobs tell of a job."""

    id: str
    name: str
    arn: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of a list of jobs."""

    jobs: Sequence[JobRef]
    next_token: str | None = None
    """Asks for the next part; None: this was the last."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up by name came to."""

    jobs: Sequence[JobRef]
    """Earliest first."""
    as_of: datetime
    """When AWS answered, by its own clock: what it took later is not in it."""


class Batch(Protocol):
    """AWS Batch of one account and region; any method may raise Throttled, Unavailable, Denied."""

    async def locate(self) -> tuple[str | None, str]:
        """The account asked (None where it can't be known) and the region."""

    async def submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        """Submit a job, at most once.

        Args:
            request: the job; its name is how it is found again.
            may_send: asked after signing, from any thread, as the last thing before the bytes
                leave; where it answers False nothing is sent and Unavailable is raised.

        Raises:
            Rejected: the request is wrong.
            NotFound: there is no such queue.
            OutcomeUnknown: it was sent and no readable answer came.
        """

    async def describe(self, ids: Sequence[str]) -> Sequence[Job]:
        """The jobs of at most 100 ids, in any order; those that AWS doesn't know are absent."""

    async def find(self, name_prefix: str, queue: str) -> Found:
        """All jobs of a queue, in every state, whose names start so.

        Raises:
            NotFound: the queue is gone, which does not mean that the jobs are.
        """

    async def terminate(self, job_id: str, reason: str) -> None:
        """End a job in whatever state it is; returns at once, and does nothing if it has ended."""

    async def list_jobs(
        self, queue: str, status: JobStatus, next_token: str | None = None
    ) -> JobPage:
        """The jobs of a queue that are in this state, part by part.

        Raises:
            NotFound: the queue is gone.
        """

    async def snapshot(self, queue: str) -> Sequence[str]:
        """The ids of the RUNNABLE jobs at the front of a queue, at most a hundred, next first."""

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to a job."""

    async def log_tail(self, stream: LogStream) -> Sequence[str]:
        """The last lines of a job's log stream, oldest first: at most a hundred.

        It counts toward another quota than all the other calls. The lines are the user's own:
        never log them.
        """
