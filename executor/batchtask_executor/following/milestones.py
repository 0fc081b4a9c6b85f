"""Which of a task's transitions its user is told in Airflow's list of events, each of them once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from batchtask_api import BatchTask, ConditionStatus, ConditionType, Phase
from batchtask_executor.following.outcome import Succeeded, log_stream, outcome
from batchtask_executor.redaction import presentable
from batchtask_executor.view.links import job_link, log_link


@dataclass(frozen=True, slots=True)
class Milestone:
    """A transition that is worth reading."""

    event: str
    text: str


class Milestones:
    """Remembers what was told of one task.

    submitted, started and succeeded are told once; blocked once for each reason, and unblocked at
    most once after each of these: their number has a bound, whatever the task goes through. What
    keeps a task from succeeding is told by who fails the task instance for it.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._blocked_by: str | None = None

    @classmethod
    def since(cls, task: BatchTask) -> Self:
        """Take what the task shows by now as told: by the scheduler that it is adopted from."""
        found = cls()
        found.passed(task, "")
        return found

    def passed(self, task: BatchTask, log_group: str) -> Sequence[Milestone]:
        """What the task has come past since the last call."""
        return [Milestone(event, presentable(text)) for event, text in self._news(task, log_group)]

    def _news(self, task: BatchTask, log_group: str) -> Iterator[tuple[str, str]]:
        status = task.status
        if status.job_id and self._is_first("submitted"):
            yield "batchtask submitted", _submitted(task)
        yield from self._blocked(task)
        if (status.started_at or status.phase is Phase.RUNNING) and self._is_first("started"):
            yield "batchtask started", _started(task, log_group)
        now = outcome(task, log_group)
        if isinstance(now, Succeeded) and self._is_first("succeeded"):
            yield "batchtask succeeded", now.info

    def _blocked(self, task: BatchTask) -> Iterator[tuple[str, str]]:
        condition = task.status.condition(ConditionType.BLOCKED)
        if condition and condition.status is ConditionStatus.TRUE:
            if self._is_first(f"blocked by {condition.reason}"):
                self._blocked_by = condition.reason
                yield "batchtask blocked", f"{condition.reason}: {condition.message}"
        elif self._blocked_by:
            yield "batchtask unblocked", f"it was blocked by {self._blocked_by}"
            self._blocked_by = None

    def _is_first(self, what: str) -> bool:
        is_first = what not in self._told
        self._told.add(what)
        return is_first


def _submitted(task: BatchTask) -> str:
    status = task.status
    queue = f" in job queue {status.submission.queue}" if status.submission else ""
    link = job_link(status.job_arn)
    return f"AWS Batch job {status.job_id}{queue}" + (f": {link}" if link else "")


def _started(task: BatchTask, log_group: str) -> str:
    link = log_link(task.status.job_arn, log_stream(task.status, log_group))
    return f"AWS Batch job {task.status.job_id} runs" + (f": {link}" if link else "")
