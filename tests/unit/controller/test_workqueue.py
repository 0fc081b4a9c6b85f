"""The work queue: each task once, by one worker at a time, now or later."""

import asyncio

import pytest

from batchtask_controller.workqueue import WorkQueue
from fakes.clock import FakeClock


async def test_a_task_is_in_the_queue_at_most_once() -> None:
    queue = WorkQueue()

    for uid in ("a", "b", "a"):
        queue.add(uid)

    assert [await queue.get(), await queue.get()] == ["a", "b"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 1)


async def test_news_of_a_task_at_work_are_looked_at_when_the_worker_is_done() -> None:
    queue = WorkQueue()
    queue.add("a")
    uid = await queue.get()

    queue.add("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 1)
    queue.done(uid)

    assert await queue.get() == "a"


async def test_without_news_a_task_is_not_looked_at_again() -> None:
    queue = WorkQueue()
    queue.add("a")

    queue.done(await queue.get())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 100)


async def test_a_delayed_task_comes_in_its_time(clock: FakeClock) -> None:
    queue = WorkQueue()

    queue.add_after("a", 30)

    assert await queue.get() == "a"
    assert clock.monotonic() == pytest.approx(30)


@pytest.mark.parametrize("delays", [(30, 5), (5, 30)])
async def test_of_two_delays_the_earlier_holds(
    clock: FakeClock, delays: tuple[float, float]
) -> None:
    queue = WorkQueue()

    for delay in delays:
        queue.add_after("a", delay)

    assert await queue.get() == "a"
    assert clock.monotonic() == pytest.approx(5)
    queue.done("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 100)


async def test_several_workers_share_the_tasks() -> None:
    queue = WorkQueue()
    done: list[str] = []

    async def work() -> None:
        while True:
            uid = await queue.get()
            await asyncio.sleep(1)
            done.append(uid)
            queue.done(uid)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for number in range(8):
        queue.add(str(number))
    await asyncio.sleep(2.5)
    for worker in workers:
        worker.cancel()

    assert sorted(done) == [str(number) for number in range(8)]
