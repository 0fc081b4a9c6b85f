from collections.abc import Callable
from dataclasses import replace

import pytest

from batchtask_local.batch import lifecycle
from batchtask_local.batch.lifecycle import Exit, InvalidStepError
from batchtask_local.batch.model import Attempt, EndedBy, Ending, Job, LogStream, Status
from unit.local.batch.lab import lab

ATTEMPT = Attempt("task", "main", LogStream("/aws/batch/job", "d/default/task"))
STEPS: dict[str, tuple[Callable[[Job], Job], set[Status]]] = {
    "pend": (lifecycle.pend, {Status.SUBMITTED}),
    "make_runnable": (lifecycle.make_runnable, {Status.PENDING}),
    "block": (lambda job: lifecycle.block(job, "why"), {Status.RUNNABLE}),
    "begin": (lambda job: lifecycle.begin(job, ATTEMPT), {Status.RUNNABLE}),
    "run": (lambda job: lifecycle.run(job, 5), {Status.STARTING}),
    "ask_to_end": (
        lambda job: lifecycle.ask_to_end(job, Ending(EndedBy.TERMINATE, "enough")),
        {Status.STARTING, Status.RUNNING},
    ),
    "end_attempt": (
        lambda job: lifecycle.end_attempt(job, Exit(0), 9),
        {Status.STARTING, Status.RUNNING},
    ),
    "end_waiting": (
        lambda job: lifecycle.end_waiting(job, "why", 9),
        {Status.SUBMITTED, Status.PENDING, Status.RUNNABLE},
    ),
    "tally": (
        lambda job: lifecycle.tally(job, Status.PENDING, Status.RUNNABLE, 9),
        {Status.PENDING},
    ),
}


def job_in(status: Status) -> Job:
    """Bring a job to a state by the steps themselves."""
    made = lab(main=1)
    job = made.job(made.submit("x", arrayProperties={"size": 2}))
    if status is Status.FAILED:
        return lifecycle.end_waiting(job, "why", 1)
    path: list[Callable[[Job], Job]] = [
        lifecycle.pend,
        lifecycle.make_runnable,
        lambda job: lifecycle.begin(job, ATTEMPT),
        lambda job: lifecycle.run(job, 5),
        lambda job: lifecycle.end_attempt(job, Exit(0), 9),
    ]
    for step in path[: list(Status).index(status)]:
        job = step(job)
    assert job.status is status
    return replace(job, children={Status.PENDING: 2})


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_possible_from_its_own_states_alone(name: str, status: Status) -> None:
    step, allowed = STEPS[name]
    job = job_in(status)
    if status in allowed:
        assert step(job) is not job
    else:
        with pytest.raises(InvalidStepError):
            step(job)


def test_a_success_after_a_request_to_end_is_a_failure() -> None:
    running = job_in(Status.RUNNING)
    asked = lifecycle.ask_to_end(running, Ending(EndedBy.TERMINATE, "enough"))

    ended = lifecycle.end_attempt(asked, Exit(0), 9)

    assert (ended.status, ended.status_reason) == (Status.FAILED, "enough")


def test_the_first_reason_to_end_stays() -> None:
    running = job_in(Status.RUNNING)
    timed_out = lifecycle.ask_to_end(running, Ending(EndedBy.TIMEOUT, "late"))

    asked = lifecycle.ask_to_end(timed_out, Ending(EndedBy.TERMINATE, "enough"))

    assert asked.ending == Ending(EndedBy.TIMEOUT, "late")
    assert asked.is_terminated
