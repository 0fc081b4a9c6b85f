"""A process that leads, that stands by, that takes over, and that stops."""

import asyncio
import logging

import pytest

from batchtask_api import Phase
from batchtask_controller.batch import JobStatus
from batchtask_controller.tasks import Unreachable
from batchtask_controller.timings import Timings
from builders import a_task
from fakes.cluster import Failure
from unit.controller.world import Controller, World

DURATION = Timings().lease_duration
RETRY = Timings().lease_retry
TAKE_OVER = DURATION + 2 * RETRY


async def test_a_standby_does_nothing_but_watch(world: World) -> None:
    world.start("one")
    await asyncio.sleep(1)
    two = world.start("two")
    await asyncio.sleep(1)

    world.cluster.add(a_task(finalizers=[]))
    await asyncio.sleep(5)

    submission = world.cluster.task("bt-1").status.submission
    assert submission is not None
    assert submission.by == "one"
    assert len(two.store) == 1
    assert not two.crew.acts


async def test_after_the_leaders_death_the_standby_goes_on(world: World) -> None:
    one = world.start("one")
    await asyncio.sleep(1)
    world.start("two")
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    await one.kill()

    await asyncio.sleep(TAKE_OVER)
    world.cluster.add(a_task("bt-2"))
    await asyncio.sleep(5)
    await world.run_job("bt-1")
    await world.run_job("bt-2")

    assert world.phase("bt-1") is world.phase("bt-2") is Phase.SUCCEEDED
    assert world.batch.calls["submit"] == 2
    assert world.batch.calls["find"] == 0


async def test_the_new_leader_reads_everything_before_it_submits(world: World) -> None:
    one = world.start("one")
    await asyncio.sleep(1)
    two = world.start("two")
    await asyncio.sleep(1)
    two.watch.hold()
    task = world.cluster.add(a_task())
    await asyncio.sleep(5)
    await one.kill()

    await asyncio.sleep(TAKE_OVER + 60)

    assert world.jobs_of(task) == 1
    assert world.cluster.patches["conflict"] == 0


async def test_a_list_that_fails_is_asked_for_again_before_anything_is_done(world: World) -> None:
    down = Failure(Unreachable("the API server does not answer"))
    world.cluster.fail_next("list", *[down] * 3)
    task = world.cluster.add(a_task())

    one = world.start("one")
    await asyncio.sleep(4)
    assert not one.crew.acts
    assert world.jobs_of(task) == 0
    await asyncio.sleep(10)

    assert world.jobs_of(task) == 1


async def hand_over(world: World, to: str) -> Controller:
    """Let another process have the Lease, as if this one had been cut off for a while."""
    spec = {"holderIdentity": to, "leaseDurationSeconds": int(DURATION), "leaseTransitions": 1}
    world.cluster._put_lease(spec)
    following = world.start(to)
    await asyncio.sleep(2 * RETRY)
    assert following.crew.acts
    return following


async def test_who_lost_the_lead_does_nothing_more(world: World) -> None:
    one = world.start("one")
    await asyncio.sleep(1)
    await hand_over(world, "two")
    assert not one.crew.acts

    for number in range(30):
        world.cluster.add(a_task(f"bt-{number}", finalizers=[]))
    await asyncio.sleep(30)

    submissions = [task.status.submission for task in world.cluster.tasks()]
    assert {each.by for each in submissions if each is not None} == {"two"}
    assert world.cluster.patches["conflict"] == 0
    assert len(world.batch.jobs) == 30


async def test_what_was_seen_of_jobs_before_a_standby_is_not_believed_after_it(
    world: World,
) -> None:
    one = world.start("one")
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    await world.run_job(status=JobStatus.RUNNABLE)
    two = await hand_over(world, "two")
    assert not one.crew.acts
    await asyncio.sleep(11)
    await world.run_job(status=JobStatus.RUNNING)
    assert world.phase() is Phase.RUNNING
    phases = len(world.cluster.statuses[world.cluster.task("bt-1").metadata.uid])

    await two.stop()
    await asyncio.sleep(60)

    assert one.crew.acts
    assert world.phase() is Phase.RUNNING
    assert len(world.cluster.statuses[world.cluster.task("bt-1").metadata.uid]) == phases


# -- stop -----------------------------------------------------------------------------------------


async def test_a_stop_finishes_what_is_being_sent_and_lets_go_of_the_lease(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one = world.start("one")
    await asyncio.sleep(1)
    world.batch.latency_seconds = 3
    world.cluster.add(a_task())
    await asyncio.sleep(1)
    started = world.clock.monotonic()

    await one.stop()

    assert world.clock.monotonic() - started < 6
    assert world.job_of() in world.batch.jobs
    assert world.cluster.lease is not None
    assert world.cluster.lease["spec"]["holderIdentity"] == ""
    assert "finishing 1 submissions under way" in caplog.text


async def test_after_a_stop_the_next_leads_at_once_and_has_nothing_to_clear_up(
    world: World,
) -> None:
    one = world.start("one")
    await asyncio.sleep(1)
    world.batch.latency_seconds = 3
    first = world.cluster.add(a_task())
    await asyncio.sleep(1)
    await one.stop()
    world.batch.latency_seconds = 0
    second = world.cluster.add(a_task("bt-2"))

    world.start("two")
    await asyncio.sleep(2)

    assert (world.jobs_of(first), world.jobs_of(second)) == (1, 1)
    assert world.batch.calls["find"] == 0


async def test_a_stop_begins_nothing_new(world: World) -> None:
    one = world.start("one", calls_per_second=1)
    for number in range(20):
        world.cluster.add(a_task(f"bt-{number}"))
    await asyncio.sleep(5)
    submitted = len(world.batch.jobs)
    assert 0 < submitted < 20

    await one.stop()
    await asyncio.sleep(30)

    assert len(world.batch.jobs) <= submitted + 1
    assert all(
        task.status.job_id is not None
        for task in world.cluster.tasks()
        if task.status.submission is not None
    )


async def test_a_stop_does_not_wait_for_aws_for_ever(world: World) -> None:
    one = world.start("one")
    await asyncio.sleep(1)
    world.batch.latency_seconds = 1000
    world.cluster.add(a_task())
    await asyncio.sleep(1)
    started = world.clock.monotonic()

    await one.stop()

    assert world.clock.monotonic() - started == pytest.approx(25, abs=1)


async def test_a_standby_stops_at_once(world: World) -> None:
    world.start("one")
    await asyncio.sleep(1)
    two = world.start("two")
    await asyncio.sleep(5)
    started = world.clock.monotonic()

    await two.stop()

    assert world.clock.monotonic() - started < 1
    assert world.cluster.lease is not None
    assert world.cluster.lease["spec"]["holderIdentity"] == "one"


async def test_no_loop_dies_whatever_fails(world: World) -> None:
    one = world.start("one")
    for number in range(10):
        world.cluster.add(a_task(f"bt-{number}"))
    for operation in ("patch_status", "list", "get", "read", "replace"):
        world.cluster.fail_next(operation, *[Failure(Unreachable("reset"))] * 5)

    await asyncio.sleep(300)

    assert one.crew.is_whole
    assert len(world.batch.jobs) == 10
