"""The status that a task should show, and the smallest patch that makes it so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from batchtask_api import (
    Attempt,
    BatchTask,
    BatchTaskStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    Submission,
)
from batchtask_controller.batch import Job, JobAttempt, JobRef, JobStatus
from batchtask_controller.plan import Finish
from batchtask_controller.request import Problem

PHASES: Mapping[JobStatus, tuple[Phase, Reason]] = MappingProxyType(
    {
        JobStatus.SUBMITTED: (Phase.SUBMITTED, Reason.JOB_SUBMITTED),
        JobStatus.PENDING: (Phase.SUBMITTED, Reason.JOB_SUBMITTED),
        JobStatus.RUNNABLE: (Phase.RUNNABLE, Reason.JOB_RUNNABLE),
        JobStatus.STARTING: (Phase.STARTING, Reason.JOB_STARTING),
        JobStatus.RUNNING: (Phase.RUNNING, Reason.JOB_RUNNING),
        JobStatus.SUCCEEDED: (Phase.SUCCEEDED, Reason.JOB_SUCCEEDED),
        JobStatus.FAILED: (Phase.FAILED, Reason.JOB_FAILED),
    }
)
"""What each of AWS Batch's statuses is called here."""

_NO_NEWS = frozenset({"createdAt", "logGroupName", "logRegion"})
"""What is worth no patch of its own: it goes with the next change."""

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class _Said:
    """A condition without its times."""

    status: ConditionStatus
    reason: Reason
    message: str = ""


def intended(task: BatchTask, submission: Submission, now: datetime) -> BatchTaskStatus:
    """The status that announces a submission; it must be written before the send."""
    waiting = "The submission is about to be sent to AWS Batch"
    said = {
        ConditionType.SUBMITTED: _Said(_FALSE, Reason.INTENT_WRITTEN, waiting),
        ConditionType.SUCCEEDED: _Said(_UNKNOWN, Reason.INTENT_WRITTEN, waiting),
        **_unblocked(task),
    }
    changed = {"phase": Phase.SUBMITTING, "submission": submission}
    return _status(task, changed, said, now)


def blocked(task: BatchTask, problem: Problem, now: datetime) -> BatchTaskStatus:
    """The status of a task that can't go on for now."""
    return _status(task, {}, _blocked(problem), now)


def withdrawn(task: BatchTask, problem: Problem, now: datetime) -> BatchTaskStatus:
    """The status after a send that is proven to have had no effect: the intent is taken back."""
    said = {
        ConditionType.SUBMITTED: _Said(_FALSE, problem.reason, problem.message),
        **_blocked(problem),
    }
    return _status(task, {"phase": Phase.PENDING, "submission": None}, said, now)


def submitted(task: BatchTask, job: JobRef, now: datetime) -> BatchTaskStatus:
    """The status of a task whose job AWS Batch has taken and not yet described."""
    said = {
        ConditionType.SUBMITTED: _Said(_TRUE, Reason.JOB_SUBMITTED, f"Job {job.id}"),
        ConditionType.RUNNING: _Said(_FALSE, Reason.JOB_SUBMITTED),
        ConditionType.SUCCEEDED: _Said(_UNKNOWN, Reason.JOB_SUBMITTED),
        **_unblocked(task),
    }
    changed = {
        "phase": Phase.SUBMITTED,
        "job_id": job.id,
        "job_arn": job.arn or task.status.job_arn,
        "job_status": task.status.job_status or JobStatus.SUBMITTED.value,
    }
    return _status(task, changed, said, now)


def running(
    task: BatchTask, job: Job, now: datetime, blocked_by: Problem | None = None
) -> BatchTaskStatus:
    """The status of a task whose job has not ended."""
    phase, reason = PHASES[job.status]
    runs = job.status is JobStatus.RUNNING
    said = {
        ConditionType.SUBMITTED: _Said(_TRUE, Reason.JOB_SUBMITTED, f"Job {job.id}"),
        ConditionType.RUNNING: _Said(_TRUE if runs else _FALSE, reason),
        ConditionType.SUCCEEDED: _Said(_UNKNOWN, reason),
        **(_blocked(blocked_by) if blocked_by else _unblocked(task)),
    }
    found = _status(task, {"phase": phase, **_facts(task, job)}, said, now)
    return task.status if changes(task.status, found).keys() <= _NO_NEWS else found


def finished(
    task: BatchTask,
    end: Finish,
    job: Job | None,
    job_id: str | None,
    now: datetime,
    log_tail: tuple[str, ...] | None = None,
) -> BatchTaskStatus:
    """The status of a task at its end."""
    succeeded = end.phase is Phase.SUCCEEDED
    said = {
        ConditionType.RUNNING: _Said(_FALSE, end.reason),
        ConditionType.SUCCEEDED: _Said(_TRUE if succeeded else _FALSE, end.reason, end.message),
        **_unblocked(task),
    }
    if job_id is None:
        said[ConditionType.SUBMITTED] = _Said(_FALSE, end.reason, end.message)
    else:
        said[ConditionType.SUBMITTED] = _Said(_TRUE, Reason.JOB_SUBMITTED, f"Job {job_id}")
    facts = _facts(task, job) if job else {"job_id": job_id}
    changed = {"phase": end.phase, "log_tail": log_tail, **facts}
    return _status(task, changed, said, now)


def changes(old: BatchTaskStatus, new: BatchTaskStatus) -> dict[str, Any]:
    """The JSON merge patch that turns the old status into the new one; empty where they agree."""
    return _merge_patch(old.to_json(), new.to_json())


def _merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, object by object: whatever a merge patch doesn't name stays."""
    found: dict[str, Any] = {}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            new = _merge_patch(old, new)
            old = {}
        if old != new:
            found[key] = new
    return found


def _facts(task: BatchTask, job: Job) -> dict[str, Any]:
    """What the job tells, in the status's fields."""
    return {
        "job_id": job.id,
        "job_arn": job.arn or task.status.job_arn,
        "job_status": job.status.value,
        "status_reason": job.status_reason,
        "exit_code": job.exit_code,
        "attempts": tuple(map(_attempt, job.attempts)) or None,
        "log_stream_name": job.log_stream_name,
        "log_group_name": job.log_group_name,
        "log_region": job.log_region,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "stopped_at": job.stopped_at,
    }


def _attempt(attempt: JobAttempt) -> Attempt:
    return Attempt(
        exit_code=attempt.exit_code,
        reason=attempt.reason,
        status_reason=attempt.status_reason,
        log_stream_name=attempt.log_stream_name,
        started_at=attempt.started_at,
        stopped_at=attempt.stopped_at,
    )


def _blocked(problem: Problem) -> dict[ConditionType, _Said]:
    return {
        ConditionType.BLOCKED: _Said(_TRUE, problem.reason, problem.message),
        ConditionType.SUCCEEDED: _Said(_UNKNOWN, problem.reason, problem.message),
    }


def _unblocked(task: BatchTask) -> dict[ConditionType, _Said]:
    """Blocked goes to False, where it was ever True."""
    was = task.status.condition(ConditionType.BLOCKED)
    return {ConditionType.BLOCKED: _Said(_FALSE, Reason.UNBLOCKED)} if was else {}


def _status(
    task: BatchTask,
    changed: Mapping[str, Any],
    said: Mapping[ConditionType, _Said],
    now: datetime,
) -> BatchTaskStatus:
    generation = task.metadata.generation
    kept = {condition.type: condition for condition in task.status.conditions}
    for kind, words in said.items():
        kept[kind] = _condition(kind, words, kept.get(kind), generation, now)
    return task.status.model_copy(
        update={
            **changed,
            "conditions": tuple(kept[kind] for kind in ConditionType if kind in kept),
            "observed_generation": generation,
        }
    )


def _condition(
    kind: ConditionType, said: _Said, was: Condition | None, generation: int | None, now: datetime
) -> Condition:
    stayed = was is not None and was.status is said.status
    return Condition(
        type=kind,
        status=said.status,
        reason=said.reason,
        message=said.message,
        last_transition_time=was.last_transition_time
        if was is not None and stayed
        else now.replace(microsecond=0),
        observed_generation=generation,
    )
