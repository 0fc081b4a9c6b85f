"""What the audit sees: it is all that the runs are judged by."""

from typing import Any

import pytest

from batchtask_local.batch.model import (
    Container,
    Job,
    JobDefinition,
    JobQueue,
    JobSpec,
    Shape,
    Status,
)
from chaos.audit import Audit, Fate, Made, audit, is_over

UID = "5c4d8092-f6ff-42e2-b399-eb80c67a94b2"


def made(fate: Fate = "runs") -> Made:
    return Made(UID, "task", fate)


def task(phase: str) -> dict[str, Any]:
    return {"metadata": {"uid": UID}, "status": {"phase": phase}}


def job(status: Status, *, uid: str = UID, attempt: int = 1) -> Job:
    queue = JobQueue("one", "arn:one", enabled=True, priority=1, environments=(), request={})
    container = Container(Shape.CONTAINER, "", "", (), {}, 0, 0, 0, {})
    definition = JobDefinition("simulated", 1, "arn:simulated", active=True, request={})
    spec = JobSpec(f"task-{uid}-{attempt}", queue, definition, container)
    return Job(f"job-{attempt}", attempt, spec, created_at=0, visible_at=0, status=status)


@pytest.mark.parametrize(
    ("fate", "tasks", "jobs"),
    [
        ("runs", [task("Succeeded")], [job(Status.SUCCEEDED)]),
        ("runs", [task("Failed")], [job(Status.FAILED)]),
        ("cancelled", [task("Cancelled")], []),
        ("cancelled", [task("Cancelled")], [job(Status.FAILED)]),
        ("cancelled", [task("Succeeded")], [job(Status.SUCCEEDED)]),
        ("deleted", [], []),
        ("deleted", [], [job(Status.FAILED)]),
        ("retained", [], [job(Status.RUNNING)]),
        ("forgotten", [task("Lost")], []),
    ],
)
def test_what_was_promised_is_clean(
    fate: Fate, tasks: list[dict[str, Any]], jobs: list[Job]
) -> None:
    assert audit([made(fate)], tasks, jobs) == Audit()


def test_two_jobs_of_one_task_are_a_duplicate_even_if_one_was_ended() -> None:
    jobs = [job(Status.SUCCEEDED), job(Status.FAILED, attempt=2)]
    found = audit([made()], [task("Succeeded")], jobs)
    assert len(found.duplicates) == 1
    assert not found.is_clean


@pytest.mark.parametrize(
    ("fate", "tasks", "jobs"),
    [
        ("runs", [], [job(Status.SUCCEEDED)]),
        ("runs", [task("Running")], [job(Status.SUCCEEDED)]),
        ("runs", [task("Lost")], [job(Status.SUCCEEDED)]),
        ("runs", [task("Failed")], []),
        ("runs", [task("Succeeded")], [job(Status.FAILED)]),
        ("runs", [task("Cancelled")], [job(Status.FAILED)]),
        ("deleted", [task("Succeeded")], [job(Status.SUCCEEDED)]),
        ("forgotten", [task("Pending")], []),
    ],
)
def test_an_end_that_is_not_its_jobs_is_a_loss(
    fate: Fate, tasks: list[dict[str, Any]], jobs: list[Job]
) -> None:
    assert len(audit([made(fate)], tasks, jobs).lost) == 1


@pytest.mark.parametrize(("fate", "tasks"), [("deleted", []), ("cancelled", [task("Cancelled")])])
def test_a_job_that_runs_on_is_an_orphan(fate: Fate, tasks: list[dict[str, Any]]) -> None:
    assert len(audit([made(fate)], tasks, [job(Status.RUNNING)]).orphans) == 1


def test_a_job_of_no_task_is_an_orphan_even_if_it_has_ended() -> None:
    other = job(Status.SUCCEEDED, uid="00000000-0000-0000-0000-000000000000")
    assert len(audit([], [], [other]).orphans) == 1


@pytest.mark.parametrize("fate", ["deleted", "retained"])
def test_a_deleted_task_is_over_once_it_is_gone(fate: Fate) -> None:
    assert not is_over(made(fate), task("Succeeded"))
    assert is_over(made(fate), None)
