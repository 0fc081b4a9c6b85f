"""The states of one job: every step from one to the next, each a pure function.

::

    SUBMITTED → PENDING → RUNNABLE → STARTING → RUNNING → SUCCEEDED
        │          │         │  ▲        │         │
        └──────────┴─────────┤  └────────┴─────────┤ another attempt
                             ▼                     ▼
                          FAILED ◄─────────────────┘

An array's parent goes SUBMITTED → PENDING and stays there until its last child has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from batchtask_local.batch import retry
from batchtask_local.batch.model import Attempt, EndedBy, Ending, Job, Status

EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
NOT_STARTED = "Task failed to start"


@dataclass(frozen=True, slots=True)
class Exit:
    """How the container of an attempt ended; no code means that it never had a process."""

    code: int | None
    reason: str | None = None
    status_reason: str = EXITED


class InvalidStepError(Exception):
    """A step that the job's state doesn't allow: a bug of the caller's."""


def pend(job: Job) -> Job:
    """Step from SUBMITTED to PENDING."""
    _require(job, Status.SUBMITTED)
    return replace(job, status=Status.PENDING)


def make_runnable(job: Job) -> Job:
    """Step from PENDING to RUNNABLE: nothing it depends on is outstanding."""
    _require(job, Status.PENDING)
    return replace(job, status=Status.RUNNABLE)


def block(job: Job, reason: str | None) -> Job:
    """Say why a RUNNABLE job at the head of its queue can't be placed, or that it can again."""
    _require(job, Status.RUNNABLE)
    return replace(job, status_reason=reason)


def begin(job: Job, attempt: Attempt) -> Job:
    """Step from RUNNABLE to STARTING: it has a place, and a task."""
    _require(job, Status.RUNNABLE)
    return replace(job, status=Status.STARTING, current=attempt, status_reason=None)


def run(job: Job, now: int) -> Job:
    """Step from STARTING to RUNNING: its container has started."""
    _require(job, Status.STARTING)
    current = replace(_current(job), started_at=now)
    return replace(job, status=Status.RUNNING, current=current, started_at=now)


def ask_to_end(job: Job, ending: Ending) -> Job:
    """Note why a placed job is being ended; the first reason that allows no retry stays."""
    _require(job, Status.STARTING, Status.RUNNING)
    is_terminated = job.is_terminated or ending.by is EndedBy.TERMINATE
    kept = job.ending if _is_final(job.ending) else ending
    return replace(job, ending=kept, is_terminated=is_terminated)


def end_attempt(job: Job, outcome: Exit, now: int) -> Job:
    """Step from STARTING or RUNNING to SUCCEEDED, FAILED, or RUNNABLE for another attempt."""
    _require(job, Status.STARTING, Status.RUNNING)
    ending = job.ending
    attempt = replace(
        _current(job),
        stopped_at=now,
        exit_code=None if _is_reclaim(ending) else outcome.code,
        reason=outcome.reason,
        status_reason=outcome.status_reason if ending is None else ending.reason,
    )
    ended = replace(job, attempts=(*job.attempts, attempt), current=None, ending=None)
    if outcome.code == 0 and ending is None:
        return _end(ended, Status.SUCCEEDED, attempt.status_reason, now)
    if _is_final(ending) or not _wants_retry(ended, attempt):
        return _end(ended, Status.FAILED, attempt.status_reason, now)
    return replace(ended, status=Status.RUNNABLE, started_at=None, status_reason=None)


def end_waiting(job: Job, reason: str, now: int) -> Job:
    """Step from a state before STARTING to FAILED."""
    _require(job, Status.SUBMITTED, Status.PENDING, Status.RUNNABLE)
    return _end(job, Status.FAILED, reason, now)


def tally(parent: Job, old: Status, new: Status, now: int) -> Job:
    """Count one child's step; after the last child's end the parent ends too."""
    _require(parent, Status.PENDING)
    counts = dict(parent.children or {})
    counts[old] -= 1
    counts[new] = counts.get(new, 0) + 1
    counted = replace(parent, children=counts)
    if _ended(counts) < (parent.spec.array_size or 0):
        return counted
    if counts.get(Status.FAILED, 0):
        return _end(counted, Status.FAILED, parent.wish or CHILD_FAILED, now)
    return _end(counted, Status.SUCCEEDED, None, now)


def _end(job: Job, status: Status, reason: str | None, now: int) -> Job:
    return replace(job, status=status, status_reason=reason, stopped_at=now)


def _ended(counts: Mapping[Status, int]) -> int:
    return counts.get(Status.SUCCEEDED, 0) + counts.get(Status.FAILED, 0)


def _is_final(ending: Ending | None) -> bool:
    """Tell whether such an ending is never tried again."""
    return ending is not None and not _is_reclaim(ending)


def _is_reclaim(ending: Ending | None) -> bool:
    return ending is not None and ending.by is EndedBy.RECLAIM


def _wants_retry(job: Job, attempt: Attempt) -> bool:
    outcome = retry.Outcome(attempt.exit_code, attempt.reason, attempt.status_reason or "")
    return retry.wants_retry(job.spec.retry, len(job.attempts), outcome)


def _current(job: Job) -> Attempt:
    if job.current is None:
        raise InvalidStepError(f"job {job.id} is {job.status} and has no attempt")
    return job.current


def _require(job: Job, *statuses: Status) -> None:
    if job.status not in statuses:
        raise InvalidStepError(f"job {job.id} is {job.status}, not {' or '.join(statuses)}")
