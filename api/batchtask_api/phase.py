"""A task's phases, its conditions and the reasons that they give."""

from enum import StrEnum


class Phase(StrEnum):
    """Where a task stands, in one word for people; programs read the conditions."""

    PENDING = "Pending"
    SUBMITTING = "Submitting"
    SUBMITTED = "Submitted"
    RUNNABLE = "Runnable"
    STARTING = "Starting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    LOST = "Lost"

    @property
    def is_finished(self) -> bool:
        """Whether nothing will happen to the task any more, but for its deletion."""
        return self in FINISHED


FINISHED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.LOST})


class ConditionType(StrEnum):
    """What a condition is about."""

    SUBMITTED = "Submitted"
    """True once AWS Batch holds the job."""
    RUNNING = "Running"
    """True while the job's container runs."""
    BLOCKED = "Blocked"
    """True while something that a person may have to mend keeps the task from going on."""
    SUCCEEDED = "Succeeded"
    """Unknown until the task has finished; then True or False."""


class ConditionStatus(StrEnum):
    """Kubernetes' three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a condition is as it is: for programs; the condition's message is for people."""

    # on the way
    WAITING = "Waiting"
    INTENT_WRITTEN = "IntentWritten"
    JOB_SUBMITTED = "JobSubmitted"
    JOB_RUNNABLE = "JobRunnable"
    JOB_STARTING = "JobStarting"
    JOB_RUNNING = "JobRunning"
    UNBLOCKED = "Unblocked"
    # blocked
    TOKEN_EXPIRING = "TokenExpiring"  # noqa: S105 - a reason, not a token
    WAITING_FOR_WORKLOAD = "WaitingForWorkload"
    THROTTLED = "Throttled"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    ACCESS_DENIED = "AccessDenied"
    AWS_UNAVAILABLE = "AwsUnavailable"
    QUEUE_UNAVAILABLE = "QueueUnavailable"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    JOB_RUNNABLE_TOO_LONG = "JobRunnableTooLong"
    # ends
    JOB_SUCCEEDED = "JobSucceeded"
    JOB_FAILED = "JobFailed"
    INVALID_SPEC = "InvalidSpec"
    NOT_ALLOWED = "NotAllowed"
    WORKLOAD_MISSING = "WorkloadMissing"
    CANCELLED = "Cancelled"
    JOB_VANISHED = "JobVanished"
    INTENT_EXPIRED = "IntentExpired"
