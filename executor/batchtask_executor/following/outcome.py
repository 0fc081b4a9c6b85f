"""What a BatchTask's status means to Airflow."""

from dataclasses import dataclass
from typing import Final, assert_never

from batchtask_api import (
    BatchTask,
    BatchTaskStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
)
from batchtask_executor.config import DEFAULT_LOG_GROUP
from batchtask_executor.redaction import redacted
from batchtask_executor.view.links import JobArn, LogStream, job_link, log_link

_ON_PURPOSE: Final = frozenset({Reason.INVALID_SPEC, Reason.NOT_ALLOWED, Reason.CANCELLED})
"""Ends that another job would meet again, or that a person asked for."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The job hasn't started; Airflow's own state says so already."""

    why: str = ""
    """Why it still waits, in the words of AWS or the controller."""
    lacks_token: bool = False
    """It isn't submitted before its workload is written again, with a token that lasts."""
    is_submitted: bool = False
    """A job was asked for: whatever is in the workload's Secret, AWS has it, or may have."""


@dataclass(frozen=True, slots=True)
class Running:
    """The job runs; the task in it tells Airflow of itself."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The job's process ended well: it has reported how the task in it went."""

    info: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended otherwise, or was lost: if its task never started, another may do better."""

    info: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was ended by what it asks for, by a policy or by a person: another would fare the same."""

    info: str


End = Succeeded | Failed | Stopped
Outcome = Queued | Running | End


def outcome(task: BatchTask, log_group: str = DEFAULT_LOG_GROUP) -> Outcome:
    """Say how far the task is, with words and links for people where it has ended."""
    match task.status.phase:
        case Phase.PENDING | Phase.SUBMITTING | Phase.SUBMITTED | Phase.RUNNABLE | Phase.STARTING:
            return _queued(task.status)
        case Phase.RUNNING:
            return Running()
        case Phase.SUCCEEDED:
            return Succeeded(_info(task, log_group))
        case Phase.FAILED | Phase.CANCELLED | Phase.LOST:
            info = _info(task, log_group)
            return Stopped(info) if _is_on_purpose(task) else Failed(info)
    assert_never(task.status.phase)


def vanished(task: BatchTask, log_group: str = DEFAULT_LOG_GROUP) -> Outcome:
    """Say how a task ended that isn't there any more, and was last seen like this."""
    if task.status.phase.is_finished:
        return outcome(task, log_group)
    job = f", whose AWS Batch job is {task.status.job_id}," if task.status.job_id else ""
    return gone(f"{task}{job}")


def gone(name: str) -> Stopped:
    """Say what is known of a task that went without being seen to end."""
    return Stopped(f"BatchTask {name} was deleted before its end was seen")


def _queued(status: BatchTaskStatus) -> Queued:
    blocked = _blocked(status)
    why = redacted((blocked.message if blocked else "") or status.status_reason or "")
    lacks_token = blocked is not None and blocked.reason == Reason.TOKEN_EXPIRING
    return Queued(why, lacks_token, is_submitted=status.submission is not None)


def _blocked(status: BatchTaskStatus) -> Condition | None:
    found = status.condition(ConditionType.BLOCKED)
    return found if found and found.status is ConditionStatus.TRUE else None


def _is_on_purpose(task: BatchTask) -> bool:
    if task.spec.cancel or task.status.phase is Phase.CANCELLED:
        return True
    ended = task.status.condition(ConditionType.SUCCEEDED)
    return ended is not None and ended.reason in _ON_PURPOSE


def log_stream(status: BatchTaskStatus, log_group: str) -> LogStream | None:
    """The stream that the job's last container wrote to, if one is known.

    It is in the group and region that the definition names, else in `log_group` and the job's own.
    """
    of_attempts = [attempt.log_stream_name for attempt in reversed(status.attempts or ())]
    name = next((name for name in [status.log_stream_name, *of_attempts] if name), None)
    if name is None:
        return None
    job = JobArn.parse(status.job_arn)
    region = status.log_region or (job.region if job else None)
    return LogStream(status.log_group_name or log_group, name, region)


def _info(task: BatchTask, log_group: str) -> str:
    status = task.status
    head = f"BatchTask {task} {status.phase}"
    job = f"AWS Batch job {status.job_id}" if status.job_id else "no AWS Batch job"
    facts = [
        f"reason {condition.reason}"
        for condition in [status.condition(ConditionType.SUCCEEDED)]
        if condition
    ]
    if status.exit_code is not None:
        facts.append(f"exit code {status.exit_code}")
    stream = log_stream(status, log_group)
    if stream:
        facts.append(f"log stream {stream.name}")
    words = ". ".join(_words(status))
    links = [
        f"{name}: {link}"
        for name, link in (
            ("Job", job_link(status.job_arn)),
            ("Log", log_link(status.job_arn, stream)),
        )
        if link
    ]
    told = f"{head}: {', '.join([job, *facts])}" + (f". {words}" if words else "")
    return redacted(" ".join([f"{told}.", *links]) if links else told)


def _words(status: BatchTaskStatus) -> list[str]:
    """What the controller, AWS Batch and the container's runtime say, each thing once."""
    condition = status.condition(ConditionType.SUCCEEDED)
    last = status.attempts[-1] if status.attempts else None
    said = [
        condition.message if condition else "",
        status.status_reason or "",
        (last.reason or "") if last else "",
    ]
    kept: list[str] = []
    for word in (each.rstrip(".") for each in said):
        if not any(word in longer for longer in kept):
            kept.append(word)
    return list(filter(None, kept))
