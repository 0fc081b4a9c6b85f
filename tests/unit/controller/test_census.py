"""Tasks that went while nobody watched are forgotten, and no others."""

import asyncio

from batchtask_controller.tasks import Unreachable
from batchtask_controller.timings import Timings
from builders import a_task
from fakes.cluster import Failure
from unit.controller.world import Controller, World

AGAIN = Timings().count_again


async def a_task_that_went_unseen(world: World) -> Controller:
    one = world.start()
    world.cluster.add(a_task("stays"))
    world.cluster.add(a_task("goes"))
    await asyncio.sleep(30)
    one.watch.hold()
    world.cluster.force_out("goes")
    one.watch.begin_anew(world.cluster.tasks())
    await asyncio.sleep(1)
    assert len(one.store) == 2
    return one


async def test_what_went_unseen_is_forgotten(world: World) -> None:
    one = await a_task_that_went_unseen(world)

    await asyncio.sleep(AGAIN)

    assert [record.task.metadata.name for record in one.store.records()] == ["stays"]


async def test_a_count_that_fails_forgets_nothing_and_is_made_again(world: World) -> None:
    one = await a_task_that_went_unseen(world)
    world.cluster.fail_next("uids", Failure(Unreachable("no answer")))

    await asyncio.sleep(AGAIN)
    assert len(one.store) == 2
    await asyncio.sleep(AGAIN)
    assert len(one.store) == 1
