"""plan() against DESIGN.md's twelve rows, over every combination of what it looks at."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from functools import cache
from itertools import islice, product
from typing import Literal

import pytest

from batchtask_api import BatchTask, ConditionType, DeletionPolicy, Phase, Reason, names
from batchtask_controller.batch import JobStatus
from batchtask_controller.plan import (
    Action,
    Claim,
    Delete,
    Finish,
    Observed,
    Recover,
    Release,
    Retain,
    Submit,
    Terminate,
    Turn,
    Wait,
    WorkloadMissing,
    WorkloadReady,
    plan,
)
from batchtask_controller.request import Problem
from batchtask_controller.timings import ABSENT_SWEEPS, Timings
from builders import CREATED, a_condition, a_job, a_status, a_submission, a_task

T = Timings()
NOW = CREATED + timedelta(hours=1)
INVALID = Problem(Reason.INVALID_SPEC, "spec.job.jobQueue is wrong")
ENOUGH_TRIES = 20
ARN = "arn:aws:batch:us-east-1:123456789012:job/job-1"


class Ended(Enum):
    NO = auto()
    JUST_NOW = auto()
    PAST_TTL = auto()


class Deleted(Enum):
    NO = auto()
    JUST_NOW = auto()
    LONG_AGO = auto()


class Absent(Enum):
    NO = auto()
    WHILE_YOUNG = auto()
    FOR_LONG = auto()


class Secret(Enum):
    READY = auto()
    MISSING = auto()
    MISSING_FOR_LONG = auto()
    EXPIRING = auto()


Job = JobStatus | None | Literal["undescribed"]
"""None: no job is known; undescribed: its id alone is."""


@dataclass(frozen=True)
class Facts:
    """One cell of the product."""

    ended: Ended = Ended.NO
    deleted: Deleted = Deleted.NO
    cancel: bool = False
    retain: bool = False
    intent_open: bool = False
    job: Job = None
    absent: Absent = Absent.NO
    problem: bool = False
    finalizer: bool = True
    secret: Secret = Secret.READY
    paused: bool = False

    @property
    def has_job(self) -> bool:
        return self.job is not None

    @property
    def is_deleted(self) -> bool:
        return self.deleted is not Deleted.NO

    @property
    def ends(self) -> bool:
        return self.is_deleted or self.cancel

    @property
    def job_ended(self) -> bool:
        return self.job in {JobStatus.SUCCEEDED, JobStatus.FAILED}


@dataclass(frozen=True)
class Row:
    """One row of DESIGN.md's table: which tasks it is about, and what is to be done, in a word."""

    number: int
    holds: Callable[[Facts], bool]
    action: Callable[[Facts], str]


def _given_up_or(action: str) -> Callable[[Facts], str]:
    def choose(facts: Facts) -> str:
        if facts.deleted is Deleted.LONG_AGO:
            return "Release, given up"
        return "Wait" if facts.paused else action

    return choose


def _finished(facts: Facts) -> str:
    if facts.is_deleted:
        return "Release" if facts.finalizer else "Wait"
    return "Delete" if facts.ended is Ended.PAST_TTL else "Wait"


def _lost(facts: Facts) -> str:
    if facts.is_deleted:
        return "Release"
    return "Finish Cancelled Cancelled" if facts.cancel else "Finish Lost JobVanished"


def _ending_without_job(facts: Facts) -> str:
    if facts.is_deleted:
        return "Release" if facts.finalizer else "Wait"
    return "Finish Cancelled Cancelled"


def _ending_with_job(facts: Facts) -> str:
    if facts.is_deleted and not facts.finalizer:
        return "Wait"  # it was let go of already; something else holds it
    if facts.is_deleted and facts.job_ended:
        return "Release"
    if facts.is_deleted and facts.retain:
        return _given_up_or("Retain")(facts)
    if facts.job is JobStatus.SUCCEEDED:
        return "Finish Succeeded JobSucceeded"
    if facts.job is JobStatus.FAILED:
        return "Finish Cancelled Cancelled"
    return _given_up_or("Terminate")(facts)


def _job_end(facts: Facts) -> str:
    succeeded = facts.job is JobStatus.SUCCEEDED
    return "Finish Succeeded JobSucceeded" if succeeded else "Finish Failed JobFailed"


TABLE = (
    Row(1, lambda f: f.ended is not Ended.NO, _finished),
    Row(2, lambda f: f.intent_open and not f.has_job, _given_up_or("Recover")),
    Row(3, lambda f: f.has_job and f.absent is Absent.FOR_LONG, _lost),
    Row(4, lambda f: f.ends and not f.has_job, _ending_without_job),
    Row(5, lambda f: f.ends and f.has_job, _ending_with_job),
    Row(6, lambda f: not f.has_job and f.problem, lambda _: "Finish Failed InvalidSpec"),
    Row(7, lambda f: not f.finalizer, lambda _: "Claim"),
    Row(
        8,
        lambda f: not f.has_job and f.secret in {Secret.MISSING, Secret.MISSING_FOR_LONG},
        lambda f: "Wait" if f.secret is Secret.MISSING else "Finish Failed WorkloadMissing",
    ),
    Row(
        9,
        lambda f: not f.has_job and f.secret is Secret.EXPIRING,
        lambda _: "Wait, blocked: TokenExpiring",
    ),
    Row(10, lambda f: not f.has_job, lambda f: "Wait" if f.paused else "Submit"),
    Row(
        11,
        lambda f: f.has_job and not f.job_ended,
        lambda f: "Wait, blocked: InvalidSpec" if f.problem else "Wait",
    ),
    Row(12, lambda f: f.has_job and f.job_ended, _job_end),
)


def row_of(facts: Facts) -> Row:
    """The first row that holds."""
    return next(row for row in TABLE if row.holds(facts))


def every_cell() -> Iterator[Facts]:
    """All combinations that there can be: only a job that is known can be seen or absent."""
    jobs: tuple[Job, ...] = (None, "undescribed", *JobStatus)
    flag = (False, True)
    for job in jobs:
        absences = (Absent.NO,) if job is None else tuple(Absent)
        dimensions = (Ended, Deleted, flag, flag, flag, absences, flag, flag, Secret, flag)
        for (
            ended,
            deleted,
            cancel,
            retain,
            intent,
            absent,
            problem,
            kept,
            secret,
            paused,
        ) in product(*dimensions):
            yield Facts(
                ended=ended,
                deleted=deleted,
                cancel=cancel,
                retain=retain,
                intent_open=intent,
                job=job,
                absent=absent,
                problem=problem,
                finalizer=kept,
                secret=secret,
                paused=paused,
            )


@cache
def the_task(
    ended: Ended, deleted: Deleted, cancel: bool, retain: bool, finalizer: bool, young: bool
) -> BatchTask:
    """The task of a cell."""
    ended_at = NOW - timedelta(seconds=10 if ended is Ended.JUST_NOW else 700)
    deleted_at = {
        Deleted.NO: None,
        Deleted.JUST_NOW: NOW - timedelta(seconds=10),
        Deleted.LONG_AGO: NOW - timedelta(seconds=T.release_deadline),
    }
    return a_task(
        cancel=cancel,
        policy=DeletionPolicy.RETAIN if retain else DeletionPolicy.TERMINATE,
        finalizers=(names.FINALIZER,) if finalizer else (),
        created=CREATED,
        deleted=deleted_at[deleted],
        status=a_status(
            Phase.SUBMITTING if ended is Ended.NO else Phase.SUCCEEDED,
            submission=a_submission(at=NOW - timedelta(seconds=60 if young else 900)),
            conditions=() if ended is Ended.NO else (a_condition(since=ended_at),),
        ),
    )


WORKLOADS: dict[Secret, WorkloadMissing | WorkloadReady] = {
    Secret.READY: WorkloadReady(NOW + timedelta(hours=1)),
    Secret.MISSING: WorkloadMissing(0),
    Secret.MISSING_FOR_LONG: WorkloadMissing(ENOUGH_TRIES),
    Secret.EXPIRING: WorkloadReady(NOW + timedelta(minutes=9)),
}


def observed(facts: Facts) -> Observed:
    """What the controller sees in a cell."""
    young = facts.absent is not Absent.FOR_LONG
    described = facts.job is not None and facts.job != "undescribed"
    return Observed(
        task=the_task(
            facts.ended, facts.deleted, facts.cancel, facts.retain, facts.finalizer, young
        ),
        job_id="job-1" if facts.has_job else None,
        job_arn=ARN if facts.has_job else None,
        job=a_job(JobStatus(str(facts.job))) if described else None,
        absent_sweeps=0 if facts.absent is Absent.NO else ABSENT_SWEEPS,
        intent_is_open=facts.intent_open,
        workload=WORKLOADS[facts.secret],
        problem=INVALID if facts.problem else None,
        pause=7.0 if facts.paused else 0.0,
    )


STUCK = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job asks for more than any instance type has"
)


def waiting(turn: Turn, reason: str | None = None, shown: str | None = None) -> Observed:
    """A RUNNABLE job, and what the task shows of its wait."""
    seen = observed(Facts(job=JobStatus.RUNNABLE))
    kind, why = ConditionType.BLOCKED, Reason.JOB_RUNNABLE_TOO_LONG
    conditions = (a_condition(kind, reason=why, message=shown),) if shown else ()
    status = seen.task.status.model_copy(update={"conditions": conditions})
    task = seen.task.model_copy(update={"status": status})
    job = a_job(JobStatus.RUNNABLE, status_reason=reason)
    return replace(seen, task=task, job=job, turn=turn)


def in_words(action: Action) -> str:
    """An action without its details."""
    match action:
        case Wait(blocked=Problem(reason=reason)):
            return f"Wait, blocked: {reason}"
        case Finish(phase=phase, reason=reason):
            return f"Finish {phase} {reason}"
        case Release(given_up=str()):
            return "Release, given up"
        case _:
            return type(action).__name__


def test_every_cell_of_the_product_gets_its_rows_action() -> None:
    wrong: list[str] = []
    hits: Counter[int] = Counter()

    for facts in every_cell():
        row = row_of(facts)
        hits[row.number] += 1
        said, expected = in_words(plan(observed(facts), NOW, T)), row.action(facts)
        if said != expected:
            wrong.append(f"row {row.number}: {said}, not {expected}: {facts}")

    assert list(islice(wrong, 5)) == []
    assert sorted(hits) == list(range(1, 13))


def after(facts: Facts, action: str) -> Facts | None:
    """What an action makes of a cell, at best; None: the task is gone."""
    match action.split()[0]:
        case "Claim":
            return replace(facts, finalizer=True)
        case "Submit":
            return replace(facts, job=JobStatus.SUBMITTED, intent_open=False)
        case "Recover":
            return replace(facts, job="undescribed", intent_open=False)
        case "Terminate":
            return replace(facts, job=JobStatus.FAILED, absent=Absent.NO)
        case "Finish":
            return replace(facts, ended=Ended.JUST_NOW)
        case "Delete":
            return replace(facts, deleted=Deleted.JUST_NOW)
        case "Release" | "Release,":
            return None
        case _:
            return facts


def test_planning_again_and_again_comes_to_rest() -> None:
    restless: list[Facts] = []

    for cell in every_cell():
        facts: Facts | None = cell
        for _ in range(6):
            if facts is None:
                break
            said = in_words(plan(observed(facts), NOW, T))
            following = after(facts, said)
            if following == facts:
                break
            facts = following
        else:
            restless.append(cell)

    assert restless[:3] == []


def test_the_same_facts_give_the_same_action() -> None:
    for facts in islice(every_cell(), 0, None, 97):
        assert plan(observed(facts), NOW, T) == plan(observed(facts), NOW, T)


TASK = "airflow-tasks/bt-1"
FAILED = a_job(
    JobStatus.FAILED, exit_code=3, reason="OutOfMemory", status_reason="Essential container exited"
)

EXAMPLES: tuple[tuple[str, Observed, Action], ...] = (
    (
        "row 1: a success stays for ten minutes",
        observed(Facts(ended=Ended.JUST_NOW)),
        Wait(590.0),
    ),
    ("row 1: a success goes after ten minutes", observed(Facts(ended=Ended.PAST_TTL)), Delete()),
    (
        "row 1: what is deleted after its end is let go",
        observed(Facts(ended=Ended.JUST_NOW, deleted=Deleted.JUST_NOW)),
        Release(),
    ),
    ("row 2: an open intent is looked up", observed(Facts(intent_open=True)), Recover()),
    (
        "row 2: a deletion waits for the look-up",
        observed(Facts(intent_open=True, deleted=Deleted.JUST_NOW)),
        Recover(),
    ),
    (
        "row 2: but not for ever",
        observed(Facts(intent_open=True, deleted=Deleted.LONG_AGO)),
        Release("AWS Batch did not confirm the job's end within 30 min"),
    ),
    (
        "row 2: between two look-ups nothing is asked",
        observed(Facts(intent_open=True, paused=True)),
        Wait(7.0),
    ),
    (
        "row 3: a job absent for long is lost",
        observed(Facts(job="undescribed", absent=Absent.FOR_LONG)),
        Finish(
            Phase.LOST,
            Reason.JOB_VANISHED,
            "AWS Batch no longer knows job job-1: it was deleted there, or ended longer ago than "
            "AWS keeps jobs",
        ),
    ),
    (
        "row 3: a young job that is absent is only late",
        observed(Facts(job="undescribed", absent=Absent.WHILE_YOUNG)),
        Wait(),
    ),
    ("row 4: deleted before a job", observed(Facts(deleted=Deleted.JUST_NOW)), Release()),
    (
        "row 4: cancelled before a job",
        observed(Facts(cancel=True)),
        Finish(Phase.CANCELLED, Reason.CANCELLED, "Cancelled before a job was submitted"),
    ),
    (
        "row 4: cancelled though its spec is wrong",
        observed(Facts(cancel=True, problem=True)),
        Finish(Phase.CANCELLED, Reason.CANCELLED, "Cancelled before a job was submitted"),
    ),
    (
        "row 5: deleted while it runs",
        observed(Facts(deleted=Deleted.JUST_NOW, job=JobStatus.RUNNING)),
        Terminate(f"BatchTask {TASK} was deleted"),
    ),
    (
        "row 5: cancelled while it runs",
        observed(Facts(cancel=True, job=JobStatus.RUNNING)),
        Terminate(f"BatchTask {TASK} was cancelled"),
    ),
    (
        "row 5: Retain leaves the job alone, with a mark",
        observed(Facts(deleted=Deleted.JUST_NOW, retain=True, job=JobStatus.RUNNING)),
        Retain(ARN),
    ),
    (
        "row 5: a job that AWS won't mark is left alone all the same",
        observed(Facts(deleted=Deleted.LONG_AGO, retain=True, job=JobStatus.RUNNING, paused=True)),
        Release("AWS Batch did not tag the job as retained within 30 min"),
    ),
    (
        "row 5: Retain of a job whose ARN nobody told",
        replace(
            observed(Facts(deleted=Deleted.JUST_NOW, retain=True, job="undescribed")), job_arn=None
        ),
        Release(),
    ),
    (
        "row 5: Retain is about deletion, not about cancel",
        observed(Facts(cancel=True, retain=True, job=JobStatus.RUNNING)),
        Terminate(f"BatchTask {TASK} was cancelled"),
    ),
    (
        "row 5: a job that ended lets the deletion go on",
        observed(Facts(deleted=Deleted.JUST_NOW, job=JobStatus.FAILED)),
        Release(),
    ),
    (
        "row 5: a success beats the cancel that came too late",
        observed(Facts(cancel=True, job=JobStatus.SUCCEEDED)),
        Finish(Phase.SUCCEEDED, Reason.JOB_SUCCEEDED, "The job succeeded before its cancel"),
    ),
    (
        "row 6: a spec that makes no job",
        observed(Facts(problem=True, finalizer=False)),
        Finish(Phase.FAILED, Reason.INVALID_SPEC, "spec.job.jobQueue is wrong"),
    ),
    ("row 7: a task without our finalizer", observed(Facts(finalizer=False)), Claim()),
    (
        "row 8: the first look for a Secret",
        observed(Facts(secret=Secret.MISSING)),
        Wait(0.02),
    ),
    (
        "row 9: a token that ends soon",
        observed(Facts(secret=Secret.EXPIRING)),
        Wait(
            60.0,
            Problem(
                Reason.TOKEN_EXPIRING,
                "The workload's token ends at 2026-01-15T13:09:00Z, too soon to submit it; "
                "Airflow's executor writes a new one",
            ),
        ),
    ),
    ("row 10: nothing stands in the way", observed(Facts()), Submit()),
    ("row 10: what AWS denied rests", observed(Facts(paused=True)), Wait(7.0)),
    ("row 11: a job that runs", observed(Facts(job=JobStatus.RUNNING)), Wait()),
    (
        "row 11: a job that waits for its turn is looked at when that is too long",
        waiting(Turn(NOW - timedelta(minutes=10), 900)),
        Wait(300.0),
    ),
    (
        "row 11: a job that waits for too long, whose place is being asked for",
        waiting(Turn(NOW - timedelta(minutes=15), 900)),
        Wait(),
    ),
    (
        "row 11: a job that waits for too long",
        waiting(Turn(NOW - timedelta(minutes=15), 900, "position 3 of the first 100 in queue q")),
        Wait(
            300.0,
            Problem(
                Reason.JOB_RUNNABLE_TOO_LONG,
                "RUNNABLE since 2026-01-15T12:45:00Z; AWS Batch gives no reason; "
                "position 3 of the first 100 in queue q",
            ),
        ),
    ),
    (
        "row 11: a job that waits for too long, with AWS's reason and without its place",
        waiting(Turn(NOW - timedelta(minutes=16), 900, ""), STUCK),
        Wait(
            300.0,
            Problem(Reason.JOB_RUNNABLE_TOO_LONG, f"RUNNABLE since 2026-01-15T12:44:00Z; {STUCK}"),
        ),
    ),
    (
        "row 11: what an earlier controller wrote of the wait stands until the place is known",
        waiting(Turn(NOW - timedelta(minutes=16), 900), shown="RUNNABLE since noon"),
        Wait(blocked=Problem(Reason.JOB_RUNNABLE_TOO_LONG, "RUNNABLE since noon")),
    ),
    (
        "row 12: a job that succeeded",
        observed(Facts(job=JobStatus.SUCCEEDED)),
        Finish(Phase.SUCCEEDED, Reason.JOB_SUCCEEDED, "The job succeeded"),
    ),
    (
        "row 12: a job that failed says why",
        replace(observed(Facts(job=JobStatus.FAILED)), job=FAILED),
        Finish(
            Phase.FAILED,
            Reason.JOB_FAILED,
            "OutOfMemory; Essential container exited (exit code 3)",
        ),
    ),
)


@pytest.mark.parametrize(
    ("seen", "action"), [each[1:] for each in EXAMPLES], ids=[each[0] for each in EXAMPLES]
)
def test_example(seen: Observed, action: Action) -> None:
    assert plan(seen, NOW, T) == action


def test_each_row_has_an_example() -> None:
    assert {int(name.split(":")[0].removeprefix("row ")) for name, _, _ in EXAMPLES} == set(
        range(1, 13)
    )


@pytest.mark.parametrize(
    ("phase", "ttl", "seconds"),
    [
        (Phase.SUCCEEDED, None, 600),
        (Phase.FAILED, None, 86_400),
        (Phase.CANCELLED, None, 86_400),
        (Phase.LOST, None, 86_400),
        (Phase.SUCCEEDED, 5, 5),
        (Phase.FAILED, 5, 5),
        (Phase.FAILED, 0, 0),
    ],
)
def test_a_finished_task_is_deleted_when_its_ttl_is_over(
    phase: Phase, ttl: int | None, seconds: int
) -> None:
    task = a_task(ttl=ttl, status=a_status(phase, conditions=(a_condition(since=CREATED),)))

    before = plan(Observed(task), CREATED + timedelta(seconds=seconds - 1), T)
    at = plan(Observed(task), CREATED + timedelta(seconds=seconds), T)

    assert at == Delete()
    assert before == Wait(1.0)


def test_a_secret_is_looked_for_at_growing_pauses_and_the_wait_shows_at_last() -> None:
    task = a_task(workload=True)

    pauses = [
        plan(Observed(task, workload=WorkloadMissing(tries)), CREATED, T) for tries in range(12)
    ]

    assert [pause.after for pause in pauses if isinstance(pause, Wait)] == [
        *T.workload_after,
        30.0,
        30.0,
    ]
    assert [isinstance(pause, Wait) and pause.blocked is not None for pause in pauses] == [
        *[False] * 9,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(("tries", "age"), [(0, 3600), (ENOUGH_TRIES, 200)])
def test_a_controller_that_was_away_first_waits_for_the_secret_itself(tries: int, age: int) -> None:
    seen = Observed(a_task(workload=True), workload=WorkloadMissing(tries))

    action = plan(seen, CREATED + timedelta(seconds=age), T)

    assert isinstance(action, Wait)


def test_a_token_is_good_until_ten_minutes_before_its_end() -> None:
    task = a_task(workload=True)

    last = plan(Observed(task, workload=WorkloadReady(NOW + timedelta(seconds=600))), NOW, T)
    too_late = plan(Observed(task, workload=WorkloadReady(NOW + timedelta(seconds=599))), NOW, T)

    assert last == Submit()
    assert isinstance(too_late, Wait)


@pytest.mark.parametrize("sweeps", range(ABSENT_SWEEPS))
def test_a_job_that_few_sweeps_missed_is_not_lost(sweeps: int) -> None:
    seen = replace(observed(Facts(job="undescribed", absent=Absent.FOR_LONG)), absent_sweeps=sweeps)

    assert plan(seen, NOW, T) == Wait()


def test_an_adopted_job_without_an_intent_is_lost_when_it_is_absent() -> None:
    seen = Observed(
        a_task(status=a_status(Phase.RUNNING, job_id="job-1")),
        job_id="job-1",
        absent_sweeps=ABSENT_SWEEPS,
    )

    action = plan(seen, NOW, T)

    assert isinstance(action, Finish)
    assert action.phase is Phase.LOST
