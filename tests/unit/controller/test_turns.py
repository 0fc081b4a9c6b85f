"""Jobs that wait too long for their turn: what their tasks show, and what it costs."""

import asyncio
from dataclasses import replace

import pytest

from batchtask_api import Condition, ConditionStatus, ConditionType, Phase, Reason
from batchtask_controller.batch import BatchError, Denied, JobStatus, Rejected, Throttled
from batchtask_controller.turns import place
from builders import JOB, a_task, a_uid
from unit.controller.world import World

LIMIT = 900.0


async def waits(world: World, jobs: int = 1, **task: object) -> None:
    """Tasks bt-1, bt-2, ... whose jobs are RUNNABLE in that order."""
    world.start()
    for number in range(1, jobs + 1):
        world.cluster.add(a_task(f"bt-{number}", uid=a_uid(number), **task))  # type: ignore[arg-type]
        await asyncio.sleep(1)
    await asyncio.sleep(5)
    for number in range(1, jobs + 1):
        world.batch.advance(world.job_of(f"bt-{number}"), JobStatus.RUNNABLE)
    await asyncio.sleep(11)


def blocked(world: World, name: str = "bt-1") -> Condition | None:
    """The task's condition Blocked."""
    return world.cluster.task(name).status.condition(ConditionType.BLOCKED)


def message(world: World, name: str = "bt-1") -> str:
    """Why the task is blocked, which it must be."""
    found = blocked(world, name)
    assert found is not None
    assert (found.status, found.reason) == (ConditionStatus.TRUE, Reason.JOB_RUNNABLE_TOO_LONG)
    return found.message


async def test_a_job_that_waits_too_long_blocks_its_task_with_its_place(world: World) -> None:
    await waits(world, jobs=3)

    await asyncio.sleep(LIMIT - 60)
    assert blocked(world, "bt-3") is None
    assert world.batch.calls["snapshot"] == 0
    await asyncio.sleep(60)

    assert message(world, "bt-3").endswith("position 3 of the first 100 in queue default")
    assert message(world, "bt-1").startswith("RUNNABLE since 2026-01-15T12:00:")
    assert world.cluster.task("bt-3").status.phase is Phase.RUNNABLE
    assert world.cluster.task("bt-3").status.job_status == "RUNNABLE"


async def test_awss_own_reason_is_told(world: World) -> None:
    await waits(world)
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Instance capacity is insufficient"
    held = world.batch.jobs[world.job_of()]
    held.job = replace(held.job, status_reason=reason)

    await asyncio.sleep(LIMIT + 20)

    assert reason in message(world)
    assert world.cluster.task("bt-1").status.status_reason == reason


async def test_it_is_over_when_the_job_moves_on(world: World) -> None:
    await waits(world)
    await asyncio.sleep(LIMIT)

    await world.run_job(status=JobStatus.STARTING)

    found = blocked(world)
    assert found is not None
    assert (found.status, found.reason) == (ConditionStatus.FALSE, Reason.UNBLOCKED)
    assert world.phase() is Phase.STARTING


@pytest.mark.parametrize(
    "error", [Denied("AWS refused the right"), Rejected("no such operation"), Throttled("slower")]
)
async def test_without_the_right_to_see_the_queue_the_task_is_blocked_all_the_same(
    world: World, error: BatchError
) -> None:
    await waits(world)
    world.batch.fail_next("snapshot", *[error] * 100)

    await asyncio.sleep(LIMIT + 20)

    assert "queue" not in message(world)
    assert world.controllers[0].crew.is_whole


async def test_a_queue_is_asked_once_for_all_of_its_tasks(world: World) -> None:
    await waits(world, jobs=30)

    await asyncio.sleep(LIMIT + 20)

    assert message(world, "bt-30").endswith("position 30 of the first 100 in queue default")
    assert world.batch.calls["snapshot"] == 1


async def test_a_place_that_changes_is_written_at_most_every_five_minutes(world: World) -> None:
    await waits(world, jobs=12)
    await asyncio.sleep(LIMIT)
    before = world.cluster.patches["status"]
    written = message(world, "bt-12")

    for number in range(1, 11):  # one job a minute gets its turn
        await world.run_job(f"bt-{number}", JobStatus.RUNNING)
        await asyncio.sleep(49)
    later = world.cluster.patches["status"] - before - 10

    assert message(world, "bt-12") != written
    assert later <= 2 * 12
    assert world.batch.calls["snapshot"] <= 11
    # Pending, Submitting, Submitted, Runnable, Blocked; then twice in ten minutes a new place.
    assert len(world.cluster.statuses[a_uid(12)]) == 5 + 2


async def test_a_queue_whose_place_stays_costs_no_patch(world: World) -> None:
    await waits(world)
    await asyncio.sleep(LIMIT + 20)
    before = world.cluster.patches["status"]

    await asyncio.sleep(3600)

    assert world.cluster.patches["status"] == before
    assert 11 <= world.batch.calls["snapshot"] <= 13


async def test_another_controller_does_not_take_it_back(world: World) -> None:
    await waits(world)
    await asyncio.sleep(LIMIT + 20)
    await world.controllers[0].kill()
    before = len(world.cluster.statuses[a_uid(1)])

    world.start("two")
    await asyncio.sleep(60)

    assert len(world.cluster.statuses[a_uid(1)]) == before
    assert "position 1" in message(world)


async def test_time_spent_waiting_for_other_jobs_does_not_count(world: World) -> None:
    world.start()
    world.cluster.add(a_task(job={**JOB, "dependsOn": [{"jobId": "job-0"}]}))
    await asyncio.sleep(2000)

    await world.run_job(status=JobStatus.RUNNABLE)
    await asyncio.sleep(LIMIT - 60)
    assert blocked(world) is None
    await asyncio.sleep(80)

    assert "position 1" in message(world)


async def test_the_limit_is_a_setting(world: World) -> None:
    world.start(blocked_after_seconds=60.0)
    world.cluster.add(a_task())
    await asyncio.sleep(2)
    await world.run_job(status=JobStatus.RUNNABLE)

    await asyncio.sleep(60)

    assert "position 1" in message(world)


def test_a_place_in_words() -> None:
    assert place("b", "q", ["a", "b"]) == "position 2 of the first 100 in queue q"
    assert place("c", "q", ["a", "b"]) == "not among the first 100 in queue q"
    assert place("c", "q", None) == ""
