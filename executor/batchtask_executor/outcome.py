"""What a BatchTask's status means to Airflow."""

from dataclasses import dataclass
from typing import assert_never

from batchtask_api import BatchTask, BatchTaskStatus, ConditionType, Phase
from batchtask_executor.config import DEFAULT_LOG_GROUP
from batchtask_executor.links import job_link, log_link
from batchtask_executor.redaction import redacted


@dataclass(frozen=True, slots=True)
class Queued:
    """The job hasn't started; Airflow's own state says so already."""


@dataclass(frozen=True, slots=True)
class Running:
    """The job runs; the task in it tells Airflow of itself."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The job's process ended well: it has reported how the task in it went."""

    info: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended otherwise, or there won't be one."""

    info: str


Outcome = Queued | Running | Succeeded | Failed


def outcome(task: BatchTask, log_group: str = DEFAULT_LOG_GROUP) -> Outcome:
    """Say how far the task is, with words and links for people where it has ended."""
    match task.status.phase:
        case Phase.PENDING | Phase.SUBMITTING | Phase.SUBMITTED | Phase.RUNNABLE | Phase.STARTING:
            return Queued()
        case Phase.RUNNING:
            return Running()
        case Phase.SUCCEEDED:
            return Succeeded(_info(task, log_group))
        case Phase.FAILED | Phase.CANCELLED | Phase.LOST:
            return Failed(_info(task, log_group))
    assert_never(task.status.phase)


def vanished(task: BatchTask, log_group: str = DEFAULT_LOG_GROUP) -> Outcome:
    """Say how a task ended that isn't there any more, and was last seen like this."""
    if task.status.phase.is_finished:
        return outcome(task, log_group)
    job = f", whose AWS Batch job is {task.status.job_id}," if task.status.job_id else ""
    return gone(f"{task}{job}")


def gone(name: str) -> Failed:
    """Say what is known of a task that went without being seen to end."""
    return Failed(f"BatchTask {name} was deleted before its end was seen")


def log_stream(status: BatchTaskStatus) -> str | None:
    """The stream that the job's last container wrote to, if one is known."""
    of_attempts = [attempt.log_stream_name for attempt in reversed(status.attempts or ())]
    return next((name for name in [status.log_stream_name, *of_attempts] if name), None)


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
    stream = log_stream(status)
    if stream:
        facts.append(f"log stream {stream}")
    words = ". ".join(_words(status))
    links = [
        f"{name}: {link}"
        for name, link in (
            ("Job", job_link(status.job_arn)),
            ("Log", log_link(status.job_arn, log_group, stream)),
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
