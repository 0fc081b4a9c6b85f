"""The sweep over live jobs: how many calls, how evenly, and what no answer means."""

import asyncio

import pytest

from batchtask_api import Phase
from batchtask_controller.batch import JobRequest, JobStatus, Unavailable
from batchtask_controller.poller import FULL_SPEED, JOBS_A_CALL, Poller, interval
from batchtask_controller.store import Store
from batchtask_controller.timings import ABSENT_SWEEPS
from batchtask_controller.workqueue import WorkQueue
from builders import JOB, a_status, a_task, a_uid
from fakes.batch import FakeBatch
from fakes.clock import FakeClock


class Sweeper:
    """A poller with so many live jobs."""

    def __init__(self, clock: FakeClock, live: int) -> None:
        self.clock, self.live = clock, live
        self.batch, self.store, self.queue = FakeBatch(clock), Store(), WorkQueue()
        self.poller = Poller(
            batch=self.batch,
            store=self.store,
            is_ours=lambda _: True,
            queue=self.queue,
            clock=clock,
            interval_seconds=10,
        )

    async def submit(self) -> None:
        for number in range(1, self.live + 1):
            name = f"job-{number}"
            request = JobRequest(name, {**JOB, "jobName": name})
            job = await self.batch.submit(request, lambda: True)
            status = a_status(Phase.SUBMITTED, job_id=job.id)
            self.store.observe(a_task(name, uid=a_uid(number), status=status))

    def news(self) -> int:
        """How many tasks are to be looked at."""
        return len(self.queue._ready)


@pytest.fixture
def sweeper(clock: FakeClock) -> Sweeper:
    return Sweeper(clock, 250)


async def test_a_hundred_jobs_cost_one_call(sweeper: Sweeper) -> None:
    await sweeper.submit()

    await sweeper.poller.sweep()

    assert sweeper.batch.calls["describe"] == 3
    assert sweeper.news() == 250


async def test_a_sweep_without_news_wakes_nobody(sweeper: Sweeper) -> None:
    await sweeper.submit()
    await sweeper.poller.sweep()
    sweeper.queue._ready.clear()
    sweeper.queue._queued.clear()

    await sweeper.poller.sweep()
    assert sweeper.news() == 0
    sweeper.batch.advance(next(iter(sweeper.batch.jobs)), JobStatus.RUNNABLE)
    await sweeper.poller.sweep()

    assert sweeper.news() == 1


async def test_calls_are_spread_evenly_over_the_interval(sweeper: Sweeper) -> None:
    await sweeper.submit()
    started = sweeper.clock.monotonic()
    sweeping = asyncio.create_task(sweeper.poller.sweep())

    calls = []
    for _ in range(4):
        await asyncio.sleep(2.5)
        calls.append(sweeper.batch.calls["describe"])
    await sweeping

    assert calls == [1, 2, 3, 3]
    assert sweeper.clock.monotonic() - started == pytest.approx(10)


async def test_nothing_live_costs_no_call(clock: FakeClock) -> None:
    sweeper = Sweeper(clock, 0)

    await sweeper.poller.sweep()

    assert sweeper.batch.calls["describe"] == 0
    assert clock.monotonic() == pytest.approx(10)


async def test_a_call_that_fails_counts_no_job_as_absent(sweeper: Sweeper) -> None:
    await sweeper.submit()
    sweeper.batch.down = Unavailable("AWS Batch can't be reached")

    for _ in range(5):
        await sweeper.poller.sweep()

    assert {record.absent_sweeps for record in sweeper.store.live()} == {0}
    assert sweeper.news() == 0


async def test_a_call_that_fails_does_not_hold_up_the_other_calls(sweeper: Sweeper) -> None:
    await sweeper.submit()
    sweeper.batch.fail_next("describe", Unavailable("AWS Batch failed with 500"))

    await sweeper.poller.sweep()

    assert sweeper.news() == 250 - JOBS_A_CALL


async def test_a_job_counts_as_absent_from_sweep_to_sweep_until_it_is_seen(
    clock: FakeClock,
) -> None:
    sweeper = Sweeper(clock, 1)
    await sweeper.submit()
    held = next(iter(sweeper.batch.jobs.values()))
    (record,) = sweeper.store.live()

    held.has_vanished = True
    counts = []
    for _ in range(ABSENT_SWEEPS):
        await sweeper.poller.sweep()
        counts.append(record.absent_sweeps)
    held.has_vanished = False
    await sweeper.poller.sweep()

    assert counts == [1, 2, 3]
    assert record.absent_sweeps == 0


async def test_a_sweep_that_has_begun_counts_as_life(clock: FakeClock) -> None:
    sweeper = Sweeper(clock, 0)
    await asyncio.sleep(3600)  # as a standby

    sweeping = asyncio.create_task(sweeper.poller.sweep())
    await asyncio.sleep(0)

    assert clock.monotonic() - sweeper.poller.last_sweep < 1
    await sweeping


@pytest.mark.parametrize(
    ("live", "seconds"),
    [(0, 10), (100, 10), (FULL_SPEED, 10), (2 * FULL_SPEED, 20), (50_000, 100)],
)
def test_many_jobs_are_swept_more_slowly(live: int, seconds: float) -> None:
    assert interval(10, live) == seconds
