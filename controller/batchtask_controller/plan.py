"""What to do about one task: a pure decision, drawn as a table, first match from the top.

===  ===========================================  ================================================
row  the task                                     action
===  ===========================================  ================================================
1    finished                                     past its TTL: Delete; being deleted: Release;
                                                  else Wait for the TTL
2    intent written, no job id, outcome unknown   Recover; a deletion waits for it, but not for ever
3    job id, absent long enough                   Lost; deleted: Release; cancelled: Finish
4    deleted or cancelled, no intent              Release; Finish as Cancelled
5    deleted or cancelled, job id                 Terminate; once it ended: Release or Finish;
                                                  deleted with Retain: Retain
6    no job id, invalid or not allowed            Finish as Failed
7    no finalizer                                 Claim
8    no job id, its Secret isn't there            Wait, then Finish as Failed
9    no job id, its token ends too soon           Wait, blocked
10   no job id                                    Submit
11   job id, waiting or running                   Wait; blocked where it is RUNNABLE for too long
12   job id, ended                                Finish
===  ===========================================  ================================================

Rows 2, 5 and 10 Wait while AWS is not to be asked again yet: news of the task is no reason to.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batchtask_api import BatchTask, ConditionType, DeletionPolicy, Phase, Reason
from batchtask_controller.batch import Job, JobStatus
from batchtask_controller.request import Problem
from batchtask_controller.timings import ABSENT_SWEEPS, Timings, step

TTL_AFTER_SUCCESS_SECONDS = 600
TTL_AFTER_FAILURE_SECONDS = 86_400
LOOK_AT_PLACE_SECONDS = 300.0
"""How often the place in the queue of a job that waits for long is read and shown anew."""


@dataclass(frozen=True, slots=True)
class WorkloadMissing:
    """The task names a Secret that isn't there (yet)."""

    tries: int
    """How often it was looked for in vain, this time not counted."""


@dataclass(frozen=True, slots=True)
class WorkloadReady:
    """The Secret is there and this task's own, or the task needs none."""

    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """How a RUNNABLE job waits for its turn."""

    since: datetime
    limit_seconds: float
    """Waiting longer is worth a person's look."""
    place: str | None = None
    """Where it stands in the queue, empty if that can't be had; None: being asked for."""

    def left(self, now: datetime) -> float:
        """Seconds until the wait is too long."""
        return self.limit_seconds - (now - self.since).total_seconds()

    def is_over(self, now: datetime) -> bool:
        """Whether the wait is too long."""
        return self.left(now) <= 0


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the decision rests on, gathered before it."""

    task: BatchTask
    job_id: str | None = None
    """From the status, or from the memory of the send that the status doesn't show yet."""
    job: Job | None = None
    """As last described."""
    absent_sweeps: int = 0
    """How many sweeps in a row did not find the job."""
    intent_is_open: bool = False
    """An intent was written and whether it led to a job is not known."""
    workload: WorkloadMissing | WorkloadReady = WorkloadReady()
    problem: Problem | None = None
    """Why the task can't or must not be submitted, or why its job can't be seen."""
    turn: Turn | None = None
    """How the job waits, if it is RUNNABLE."""
    job_arn: str | None = None
    asked_for: float = float("inf")
    """Seconds since this process first asked AWS what became of the job, or to end it."""
    pause: float = 0.0
    """Seconds for which AWS is not to be asked about this task again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing but keep the status true; look again after so many seconds, or on news."""

    after: float | None = None
    blocked: Problem | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Put our finalizer on the task."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Write the intent, then send."""


@dataclass(frozen=True, slots=True)
class Recover:
    """Find out whether the intent led to a job."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask AWS Batch to end the job, and wait until it shows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retain:
    """Mark the job, which stays, as one that no sweep may end; then Release."""

    arn: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Write the task's end."""

    phase: Phase
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Release:
    """Drop our finalizer: the deletion may go on."""

    given_up: str | None = None
    """Why the job's end was not waited for, where it was not."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the task: its time after the end is over."""


Action = Wait | Claim | Submit | Recover | Terminate | Retain | Finish | Release | Delete


def plan(observed: Observed, now: datetime, timings: Timings) -> Action:
    """Decide what to do about a task; the table stands at the head of this module."""
    task = observed.task
    if task.status.phase.is_finished:
        return _finished(task, now)
    if observed.job_id is None and observed.intent_is_open:
        return _asking(observed, now, timings, Recover())
    if observed.job_id is not None and _is_lost(observed, now, timings):
        return _lost(observed)
    if task.is_deleting or task.spec.cancel:
        return _ending(observed, now, timings)
    if observed.job_id is None and observed.problem is not None:
        return Finish(Phase.FAILED, observed.problem.reason, observed.problem.message)
    if not task.has_finalizer:
        return Claim()
    if observed.job_id is None:
        return _unsubmitted(observed, now, timings)
    return end_of(observed.job) or _going_on(observed, now)


def _going_on(observed: Observed, now: datetime) -> Wait:
    turn, job = observed.turn, observed.job
    if observed.problem is not None or turn is None or job is None:
        return Wait(blocked=observed.problem)
    if not turn.is_over(now):
        return Wait(turn.left(now))
    if turn.place is None:
        return Wait(blocked=_as_shown(observed.task))
    why = job.status_reason or "AWS Batch gives no reason"
    parts = [f"RUNNABLE since {turn.since:%Y-%m-%dT%H:%M:%SZ}", why, turn.place]
    problem = Problem(Reason.JOB_RUNNABLE_TOO_LONG, "; ".join(filter(None, parts)))
    return Wait(LOOK_AT_PLACE_SECONDS, problem)


def _as_shown(task: BatchTask) -> Problem | None:
    """What an earlier controller wrote of the wait: it stands until the place is known again."""
    shown = task.status.condition(ConditionType.BLOCKED)
    if shown is None or shown.reason != Reason.JOB_RUNNABLE_TOO_LONG:
        return None
    return Problem(Reason.JOB_RUNNABLE_TOO_LONG, shown.message)


def end_of(job: Job | None) -> Finish | None:
    """How the task ends with its job, if that has ended."""
    if job is None or not job.status.has_ended:
        return None
    if job.status is JobStatus.SUCCEEDED:
        return Finish(Phase.SUCCEEDED, Reason.JOB_SUCCEEDED, "The job succeeded")
    return Finish(Phase.FAILED, Reason.JOB_FAILED, failure_message(job))


def failure_message(job: Job) -> str:
    """AWS's words on a failed job, the container's own first."""
    words = [word for word in (job.reason, job.status_reason) if word]
    said = "; ".join(dict.fromkeys(words)) or "AWS Batch gave no reason"
    code = "" if job.exit_code is None else f" (exit code {job.exit_code})"
    return f"{said}{code}"


def _finished(task: BatchTask, now: datetime) -> Action:
    if task.is_deleting:
        return Release() if task.has_finalizer else Wait()
    ended = task.status.condition(ConditionType.SUCCEEDED)
    since = ended.last_transition_time if ended else now
    left = (since + timedelta(seconds=ttl_seconds(task)) - now).total_seconds()
    return Wait(left) if left > 0 else Delete()


def ttl_seconds(task: BatchTask) -> int:
    """How long the task stays after its end."""
    if task.spec.ttl_seconds_after_finished is not None:
        return task.spec.ttl_seconds_after_finished
    if task.status.phase is Phase.SUCCEEDED:
        return TTL_AFTER_SUCCESS_SECONDS
    return TTL_AFTER_FAILURE_SECONDS


def _is_lost(observed: Observed, now: datetime, timings: Timings) -> bool:
    submission = observed.task.status.submission
    if submission is None:
        return observed.absent_sweeps >= ABSENT_SWEEPS
    age = (now - submission.at).total_seconds()
    return observed.absent_sweeps >= ABSENT_SWEEPS and age > timings.absent_age


def _lost(observed: Observed) -> Action:
    task = observed.task
    if task.is_deleting:
        return Release()
    message = (
        f"AWS Batch no longer knows job {observed.job_id}: it was deleted there, or ended longer "
        "ago than AWS keeps jobs"
    )
    if task.spec.cancel:
        return Finish(Phase.CANCELLED, Reason.CANCELLED, message)
    return Finish(Phase.LOST, Reason.JOB_VANISHED, message)


def _ending(observed: Observed, now: datetime, timings: Timings) -> Action:
    task, job = observed.task, observed.job
    if task.is_deleting and (observed.job_id is None or not task.has_finalizer):
        return Release() if task.has_finalizer else Wait()
    if observed.job_id is None:
        return Finish(Phase.CANCELLED, Reason.CANCELLED, "Cancelled before a job was submitted")
    if job is not None and job.status.has_ended:
        return Release() if task.is_deleting else _cancelled(job)
    if task.is_deleting and task.spec.deletion_policy is DeletionPolicy.RETAIN:
        arn = observed.job_arn
        return _asking(observed, now, timings, Retain(arn)) if arn else Release()
    why = "deleted" if task.is_deleting else "cancelled"
    return _asking(observed, now, timings, Terminate(f"BatchTask {task} was {why}"))


def _cancelled(job: Job) -> Finish:
    if job.status is JobStatus.SUCCEEDED:
        return Finish(Phase.SUCCEEDED, Reason.JOB_SUCCEEDED, "The job succeeded before its cancel")
    return Finish(Phase.CANCELLED, Reason.CANCELLED, failure_message(job))


def _asking(
    observed: Observed, now: datetime, timings: Timings, action: Recover | Terminate | Retain
) -> Action:
    """Ask AWS, in its time; but a deletion must not wait for an answer for ever.

    A controller that was away for long must ask all the same, and give the answer a while.
    """
    deleted = observed.task.metadata.deletion_timestamp
    age = (now - deleted).total_seconds() if deleted is not None else 0.0
    is_over = age >= timings.release_deadline
    if is_over and observed.asked_for >= timings.terminate_again:
        minutes = timings.release_deadline / 60
        what = "tag the job as retained" if isinstance(action, Retain) else "confirm the job's end"
        return Release(f"AWS Batch did not {what} within {minutes:.0f} min")
    return Wait(observed.pause) if observed.pause > 0 else action


def _unsubmitted(observed: Observed, now: datetime, timings: Timings) -> Action:
    if isinstance(observed.workload, WorkloadMissing):
        return _without_workload(observed.task, observed.workload.tries, now, timings)
    expires = observed.workload.expires
    if expires is None or (expires - now).total_seconds() >= timings.token_reserve:
        return Wait(observed.pause) if observed.pause > 0 else Submit()
    return Wait(
        timings.token_reserve / 10,
        Problem(
            Reason.TOKEN_EXPIRING,
            f"The workload's token ends at {expires:%Y-%m-%dT%H:%M:%SZ}, too soon to submit it; "
            "Airflow's executor writes a new one",
        ),
    )


def _without_workload(task: BatchTask, tries: int, now: datetime, timings: Timings) -> Action:
    secret = task.spec.workload.secret_name if task.spec.workload else ""
    created = task.metadata.creation_timestamp or now
    # Both: a controller that was away, or whose clock is ahead, has not waited for it yet.
    waited = sum(step(timings.workload_after, number) for number in range(tries))
    if min((now - created).total_seconds(), waited) > timings.workload_deadline:
        return Finish(
            Phase.FAILED,
            Reason.WORKLOAD_MISSING,
            f"Secret {secret} of spec.workload.secretName was not there for "
            f"{timings.workload_deadline:.0f} s; no job was submitted",
        )
    pause = step(timings.workload_after, tries)
    blocked = Problem(Reason.WAITING_FOR_WORKLOAD, f"Secret {secret} is not there yet")
    return Wait(pause, blocked if pause >= timings.workload_after[-1] else None)
