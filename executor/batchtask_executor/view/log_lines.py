"""What a BatchTask says of itself, as lines of its task instance's log."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from batchtask_api import BatchTask, Condition, ConditionStatus, ConditionType, Phase
from batchtask_executor.following.outcome import log_stream
from batchtask_executor.redaction import redacted
from batchtask_executor.view.links import job_link, log_link

_WAITING = {
    Phase.PENDING: "The job is not submitted yet",
    Phase.SUBMITTING: "The job is being submitted",
    Phase.SUBMITTED: "AWS Batch holds the job, which isn't RUNNABLE yet",
    Phase.RUNNABLE: "The job is RUNNABLE: it waits for its turn and for room",
    Phase.STARTING: "The job is STARTING: its container is being made",
}


def line(text: str, at: datetime | None = None, level: str = "info") -> str:
    """One line as Airflow's log reader takes it; without a time it stays behind the one before."""
    time = {"timestamp": at.isoformat()} if at else {}
    return json.dumps({**time, "level": level, "logger": "batchtask", "event": redacted(text)})


def output_line(message: str, at: datetime | None = None) -> str:
    """A line that the job wrote: as it is where it has Airflow's own form, else in that form."""
    message = redacted(message)
    if _is_structured(message):
        return message
    time = {"timestamp": at.isoformat()} if at else {}
    return json.dumps({**time, "logger": "job", "event": message})


def _is_structured(message: str) -> bool:
    if not message.startswith("{"):
        return False
    try:
        return isinstance(json.loads(message).get("event"), str)
    except ValueError:
        return False


def task_lines(task: BatchTask, log_group: str, *, with_tail: bool) -> Sequence[str]:
    """The task's life so far, in order; with the last lines of a failed job's output, if wanted."""
    tail = _tail(task) if with_tail else ()
    return [*_beginning(task), *_course(task), *tail, *_end(task, log_group)]


def _beginning(task: BatchTask) -> Iterator[str]:
    status = task.status
    yield line(f"BatchTask {task} was created", task.metadata.creation_timestamp)
    if submission := status.submission:
        region = f" in {submission.region}" if submission.region else ""
        yield line(f"Submitting it to job queue {submission.queue}{region}", submission.at)
    submitted = status.condition(ConditionType.SUBMITTED)
    if status.job_id and submitted and submitted.status is ConditionStatus.TRUE:
        link = job_link(status.job_arn)
        text = f"AWS Batch took it as job {status.job_id}" + (f": {link}" if link else "")
        yield line(text, submitted.last_transition_time)


def _course(task: BatchTask) -> Iterator[str]:
    status = task.status
    if waiting := _WAITING.get(status.phase):
        yield line(waiting)
    if blocked := status.condition(ConditionType.BLOCKED):
        yield _blocked(blocked)
    if status.started_at:
        yield line("The job's container started", status.started_at)
    attempts = status.attempts or ()
    for number, attempt in enumerate(attempts, 1):
        if len(attempts) > 1:
            code = "" if attempt.exit_code is None else f" with exit code {attempt.exit_code}"
            why = "; ".join(filter(None, (attempt.reason, attempt.status_reason)))
            text = f"Attempt {number} of the job ended{code}" + (f": {why}" if why else "")
            yield line(text, attempt.stopped_at)


def _blocked(condition: Condition) -> str:
    if condition.status is ConditionStatus.TRUE:
        text = f"Blocked, {condition.reason}: {condition.message}"
        return line(text, condition.last_transition_time, "warning")
    return line("No longer blocked", condition.last_transition_time)


def _tail(task: BatchTask) -> Iterator[str]:
    if tail := task.status.log_tail:
        yield line("The last lines of the job's output:")
        yield from map(output_line, tail)


def _end(task: BatchTask, log_group: str) -> Iterator[str]:
    status = task.status
    if stream := log_stream(status, log_group):
        yield line(f"The job's output is in {log_link(status.job_arn, stream) or stream}")
    ended = status.condition(ConditionType.SUCCEEDED)
    if not status.phase.is_finished or ended is None:
        return
    code = "" if status.exit_code is None else f", exit code {status.exit_code}"
    text = f"{status.phase}, {ended.reason}{code}: {ended.message}"
    level = "info" if status.phase is Phase.SUCCEEDED else "error"
    yield line(text, status.stopped_at or ended.last_transition_time, level)
