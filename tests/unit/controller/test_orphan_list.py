"""`batchtask orphans`: what it lists, where it looks, and what it says of what it couldn't see."""

import asyncio
from collections.abc import Sequence
from typing import Any

from batchtask_api import names
from batchtask_controller.batch import JobStatus
from batchtask_controller.config import Settings
from batchtask_controller.orphan_list import Listing, list_orphans
from builders import JOB, a_task
from fakes.batch import FakeBatch
from unit.controller.world import CLUSTER_UID, World

HOUR = 3600.0
HERE = names.DEFAULT_NAMESPACE


async def run_jobs(world: World, *tasks: str, queue: str = "default", **of: Any) -> None:
    """Have these tasks' jobs run."""
    for name in tasks:
        world.cluster.add(a_task(name, job={**JOB, "jobQueue": queue}), **of)
    await asyncio.sleep(5)


async def listed(
    world: World, *, queues: Sequence[str] = (), other: FakeBatch | None = None, **of: Any
) -> Listing:
    """Look, as the command does."""
    settings = Settings(aws_region="us-east-1", namespaces=(HERE, "team"), **of)
    batches = {settings.home: world.batch}
    if other:
        batches[settings.account_of["team"]] = other
    return await list_orphans(
        settings,
        world.cluster,
        batches,
        cluster_uid=CLUSTER_UID,
        queues=queues,
        clock=world.clock,
    )


async def test_a_live_job_without_its_task_is_listed_and_left_alone(world: World) -> None:
    world.start()
    await run_jobs(world, "bt-1", "bt-2")
    orphan = world.job_of("bt-1")
    world.cluster.force_out("bt-1")
    await asyncio.sleep(HOUR)

    found = await listed(world)

    head, row = found.table.splitlines()
    assert head.split()[:3] == ["JOB", "ID", "STATUS"]
    assert row.split()[:2] == [orphan, "SUBMITTED"]
    assert {"123456789012", "us-east-1", HERE} <= set(row.split())
    assert found.unasked == ()
    assert not world.batch.jobs[orphan].job.status.has_ended


async def test_where_there_is_none_it_says_so(world: World) -> None:
    world.start()
    await run_jobs(world, "bt-1")
    await asyncio.sleep(HOUR)

    assert await listed(world) == Listing("no orphans", ())


async def test_queues_that_no_task_names_any_more_are_named_by_hand_or_by_the_policy(
    world: World,
) -> None:
    world.batch.queues.add("gpu")
    world.start()
    await run_jobs(world, "bt-1", queue="gpu")
    world.cluster.force_out("bt-1")
    await asyncio.sleep(HOUR)

    unnamed = await listed(world)
    by_hand = await listed(world, queues=["gpu"])
    by_policy = await listed(world, policy={HERE: {"jobQueues": ["gpu", "*"]}})

    assert unnamed.table == "no orphans"
    assert len(by_hand.table.splitlines()) == 2
    assert by_policy == by_hand


async def test_a_queue_that_was_not_asked_is_named(world: World) -> None:
    assert (await listed(world, queues=["nowhere"])).unasked == ("nowhere",)


async def test_each_account_is_asked_about_its_own(world: World) -> None:
    other = FakeBatch(world.clock, account="222222222222", region="eu-west-1")
    world.start(accounts={"team": other})
    await run_jobs(world, "bt-team", namespace="team")
    (orphan,) = other.jobs
    other.advance(orphan, JobStatus.RUNNING)
    world.cluster.force_out("bt-team")
    await asyncio.sleep(HOUR)

    found = await listed(
        world,
        other=other,
        queues=["default"],
        accounts={"team": {"region": "eu-west-1"}},
    )

    _, row = found.table.splitlines()
    assert row.split()[:2] == [orphan, "RUNNING"]
    assert {"222222222222", "eu-west-1", "team"} <= set(row.split())
