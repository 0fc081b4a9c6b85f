"""The end of a failed job's output in its task, and how little the task's end depends on it."""

import asyncio

import pytest

from batchtask_api import Phase
from batchtask_controller.batch import (
    BatchError,
    Denied,
    JobStatus,
    LogStream,
    Rejected,
    Throttled,
)
from batchtask_controller.log_tails import MOST_BYTES, trimmed
from builders import a_task
from unit.controller.world import World

SECRET = "a line that no log of ours may hold"


async def fail(world: World, name: str = "bt-1", *, starts: bool = True) -> None:
    """A task whose job fails after it wrote two lines."""
    world.cluster.add(a_task(name))
    await asyncio.sleep(5)
    job_id = world.job_of(name)
    if starts:
        await world.run_job(name, JobStatus.RUNNING)
        batch = world.batch
        stream = LogStream(f"default/{job_id}", batch.log_group_name, batch.log_region)
        batch.lines[stream] = ["starting", SECRET]
    await world.run_job(name, JobStatus.FAILED)


def tail(world: World, name: str = "bt-1") -> tuple[str, ...] | None:
    """What the task shows, which must have failed."""
    assert world.phase(name) is Phase.FAILED
    return world.cluster.task(name).status.log_tail


async def test_a_failed_jobs_last_lines_come_with_its_end(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    world.start()

    await fail(world)

    assert tail(world) == ("starting", SECRET)
    history = world.cluster.statuses[world.cluster.task("bt-1").metadata.uid]
    assert [each["phase"] for each in history].count("Failed") == 1
    assert SECRET not in caplog.text


async def test_they_are_read_where_the_definition_logs_to(world: World) -> None:
    world.batch.log_group_name, world.batch.log_region = "/own", "eu-west-1"
    world.start()

    await fail(world)

    assert tail(world) == ("starting", SECRET)
    found = world.cluster.task("bt-1").status
    assert (found.log_group_name, found.log_region) == ("/own", "eu-west-1")


async def test_a_success_costs_no_look(world: World) -> None:
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(5)

    await world.run_job(status=JobStatus.RUNNING)
    await world.run_job()

    assert world.phase() is Phase.SUCCEEDED
    assert world.batch.calls["log_tail"] == 0


async def test_a_job_that_never_started_has_no_log(world: World) -> None:
    world.start()

    await fail(world, starts=False)

    assert tail(world) is None
    assert world.batch.calls["log_tail"] == 0


async def test_it_can_be_switched_off(world: World) -> None:
    world.start(log_tail=False)

    await fail(world)

    assert tail(world) is None
    assert world.batch.calls["log_tail"] == 0


@pytest.mark.parametrize("error", [Denied("AWS refused the right"), Throttled("slower")])
async def test_logs_that_cant_be_read_are_left_out_and_not_tried_for_a_minute(
    world: World, error: BatchError
) -> None:
    world.start()
    world.batch.fail_next("log_tail", error)

    await fail(world, "bt-1")
    await fail(world, "bt-2")
    await asyncio.sleep(60)
    await fail(world, "bt-3")

    assert tail(world, "bt-1") is None
    assert tail(world, "bt-2") is None
    assert tail(world, "bt-3") == ("starting", SECRET)
    assert world.batch.calls["log_tail"] == 2


async def test_a_group_that_cant_be_read_says_nothing_of_the_others(world: World) -> None:
    world.start()
    world.batch.fail_next("log_tail", Denied("AWS refused the right"))

    world.batch.log_group_name = "/closed"
    await fail(world, "bt-1")
    world.batch.log_group_name = "/open"
    await fail(world, "bt-2")

    assert tail(world, "bt-1") is None
    assert tail(world, "bt-2") == ("starting", SECRET)


async def test_one_stream_that_is_not_there_says_nothing_of_the_others(world: World) -> None:
    world.start()
    world.batch.fail_next("log_tail", Rejected("The specified log stream does not exist."))

    await fail(world, "bt-1")
    await fail(world, "bt-2")

    assert tail(world, "bt-1") is None
    assert tail(world, "bt-2") == ("starting", SECRET)


async def test_throttled_logs_slow_no_call_to_aws_batch(world: World) -> None:
    controller = world.start()
    world.batch.fail_next("log_tail", Throttled("slower", 30.0))

    await fail(world)

    assert controller.pacer.rate == pytest.approx(40.0)


async def test_an_end_waits_no_longer_than_five_seconds(world: World) -> None:
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    await world.run_job(status=JobStatus.RUNNING)
    world.batch.advance(world.job_of(), JobStatus.FAILED)
    world.batch.logs_hang = True

    await asyncio.sleep(10 + 5 + 1)

    assert tail(world) is None


async def test_a_task_that_changes_meanwhile_ends_all_the_same_once(world: World) -> None:
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    await world.run_job(status=JobStatus.RUNNING)
    world.batch.lines[LogStream(f"default/{world.job_of()}")] = ["done"]
    world.batch.latency_seconds = 3
    world.batch.advance(world.job_of(), JobStatus.FAILED)
    while not world.batch.calls["log_tail"]:  # noqa: ASYNC110 - in virtual time
        await asyncio.sleep(0.5)

    world.cluster.annotate("bt-1", touched="yes")
    await asyncio.sleep(10)

    assert tail(world) == ("done",)
    assert world.batch.calls["log_tail"] == 2


def test_what_is_too_long_loses_its_beginning() -> None:
    lines = [f"{number:03} " + "x" * 95 for number in range(100)]

    found = trimmed(lines)

    assert found == tuple(lines[-40:])
    assert sum(len(line) + 1 for line in found) <= MOST_BYTES


def test_of_one_line_that_is_too_long_the_last_part_is_kept() -> None:
    found = trimmed(["first", "\u00e9" * 4000 + "end"])

    assert found is not None
    (line,) = found
    assert line.endswith("\u00e9end")
    assert MOST_BYTES - 2 <= len(line.encode()) <= MOST_BYTES


def test_a_log_without_lines_is_no_tail() -> None:
    assert trimmed([]) is None
