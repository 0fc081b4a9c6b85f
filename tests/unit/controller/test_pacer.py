"""The pacer: one budget for all calls, who goes first, and what a 429 does to it."""

import asyncio
from collections import Counter

import pytest

from batchtask_controller.batch import JobRef, JobRequest, JobStatus, Throttled
from batchtask_controller.paced import PacedBatch
from batchtask_controller.pacer import DESCRIBE_SHARE, Call, Pacer
from fakes.batch import FakeBatch
from fakes.clock import FakeClock

FOREVER = 10_000


async def admitted(
    pacer: Pacer, clock: FakeClock, calls: list[Call], seconds: float
) -> list[tuple[float, Call]]:
    """Which of the calls, asked for all at once, are admitted within so many seconds, and when."""
    found: list[tuple[float, Call]] = []
    started = clock.monotonic()

    async def ask(call: Call) -> None:
        await pacer.admit(call)
        found.append((clock.monotonic() - started, call))

    asking = [asyncio.create_task(ask(call)) for call in calls]
    await asyncio.sleep(seconds)
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    return found


async def test_calls_are_admitted_at_the_budget_and_a_short_burst(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)
    await asyncio.sleep(60)

    found = await admitted(pacer, clock, [Call.SUBMIT] * 500, 5)

    assert 5 * 40 <= len(found) <= 5 * 40 + 11


async def test_no_second_holds_more_calls_than_aws_allows(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)
    await asyncio.sleep(60)

    times = [at for at, _ in await admitted(pacer, clock, [Call.SUBMIT] * 500, 5)]

    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 50


async def test_a_slow_budget_admits_the_first_call_at_once(clock: FakeClock) -> None:
    pacer = Pacer(0.5, clock)

    times = [at for at, _ in await admitted(pacer, clock, [Call.SUBMIT] * 3, 5)]

    assert times == pytest.approx([0, 2, 4])


async def test_look_ups_and_terminations_go_first(clock: FakeClock) -> None:
    pacer = Pacer(10, clock)
    calls = [Call.SUBMIT] * 20 + [Call.DESCRIBE] * 20 + [Call.URGENT] * 5

    order = [call for _, call in await admitted(pacer, clock, calls, 10)]

    assert order[1:6] == [Call.URGENT] * 5  # the first call came before anybody waited


async def test_describes_keep_a_fifth_while_submissions_wait(clock: FakeClock) -> None:
    pacer = Pacer(10, clock)

    found = await admitted(pacer, clock, [Call.SUBMIT] * 200 + [Call.DESCRIBE] * 200, 10)

    count = Counter(call for _, call in found)
    assert count[Call.DESCRIBE] == pytest.approx(len(found) / DESCRIBE_SHARE, abs=1)


@pytest.mark.parametrize("call", list(Call))
async def test_who_waits_alone_has_the_whole_budget(clock: FakeClock, call: Call) -> None:
    pacer = Pacer(10, clock)

    found = await admitted(pacer, clock, [call] * 200, 10)

    assert len(found) == pytest.approx(101, abs=2)


async def test_submissions_are_admitted_in_their_order(clock: FakeClock) -> None:
    pacer, order = Pacer(10, clock), list[int]()

    async def ask(number: int) -> None:
        await pacer.admit(Call.SUBMIT)
        order.append(number)

    await asyncio.gather(*(ask(number) for number in range(20)))

    assert order == list(range(20))


async def test_a_429_halves_the_rate_at_most_once_a_second(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)

    for _ in range(10):
        pacer.throttled(None)
    assert pacer.rate == 20

    await asyncio.sleep(1)
    pacer.throttled(None)
    assert pacer.rate == pytest.approx(10, abs=0.5)


async def test_the_rate_never_falls_to_nothing(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)

    for _ in range(60):
        pacer.throttled(None)
        await asyncio.sleep(1)

    assert 0.5 <= pacer.rate < 2
    assert await admitted(pacer, clock, [Call.SUBMIT], 5)


async def test_the_rate_comes_back_slowly_and_not_beyond_the_budget(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)
    pacer.throttled(None)

    def rate() -> float:
        pacer._refill(clock.monotonic())
        return pacer.rate

    await asyncio.sleep(10)
    assert rate() == pytest.approx(28)
    await asyncio.sleep(FOREVER)
    assert rate() == 40


async def test_retry_after_is_honored_by_every_call(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)

    pacer.throttled(7)

    times = [at for at, _ in await admitted(pacer, clock, list(Call), 20)]
    assert len(times) == 3
    assert min(times) >= 7


async def test_a_longer_retry_after_is_not_cut_short_by_a_later_one(clock: FakeClock) -> None:
    pacer = Pacer(40, clock)

    pacer.throttled(7)
    pacer.throttled(1)

    assert (await admitted(pacer, clock, [Call.SUBMIT], 20))[0][0] >= 7


async def test_a_call_that_was_admitted_and_given_up_costs_nothing(clock: FakeClock) -> None:
    pacer = Pacer(1, clock)
    await pacer.admit(Call.SUBMIT)
    waiting = asyncio.create_task(pacer.admit(Call.SUBMIT))
    await asyncio.sleep(0)

    clock.advance(1)
    pacer._serve()  # it has its turn now, and has not heard of it yet
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert (await admitted(pacer, clock, [Call.SUBMIT], 5))[0][0] == 0


async def test_who_gives_up_waiting_lets_the_next_one_go(clock: FakeClock) -> None:
    pacer = Pacer(1, clock)
    await pacer.admit(Call.SUBMIT)
    patient = asyncio.create_task(pacer.admit(Call.SUBMIT))
    impatient = asyncio.create_task(pacer.admit(Call.URGENT))
    await asyncio.sleep(0.5)

    impatient.cancel()
    await asyncio.sleep(0.6)

    assert patient.done()


# -- the port, paced ------------------------------------------------------------------------------


async def test_a_throttled_call_slows_the_next_ones_down(clock: FakeClock) -> None:
    batch, pacer = FakeBatch(clock), Pacer(40, clock)
    paced = PacedBatch(batch, pacer)
    batch.fail_next("describe", Throttled("TooManyRequestsException: slow down", 3))

    with pytest.raises(Throttled):
        await paced.describe(["job-1"])

    assert pacer.rate == 20
    asked_at = clock.monotonic()
    await paced.find("prefix-", "default")
    assert clock.monotonic() - asked_at >= 3


async def test_every_call_but_the_submission_waits_for_its_turn(clock: FakeClock) -> None:
    batch = FakeBatch(clock)
    paced = PacedBatch(batch, Pacer(1, clock))

    await paced.describe(["job-1"])
    await paced.find("prefix-", "default")
    await paced.terminate("job-1", "because")

    assert clock.monotonic() == pytest.approx(2, abs=0.01)
    assert await paced.locate() == ("123456789012", "us-east-1")


async def test_the_answers_come_through(clock: FakeClock) -> None:
    batch = FakeBatch(clock)
    paced = PacedBatch(batch, Pacer(1000, clock))
    request = _a_request()

    sent = await paced.submit(request, lambda: True)

    assert [job.status for job in await paced.describe([sent.id])] == [JobStatus.SUBMITTED]
    assert [found.id for found in (await paced.find("a-", "default")).jobs] == [sent.id]
    assert isinstance(sent, JobRef)


def _a_request() -> JobRequest:
    parameters = {"jobName": "a-1", "jobQueue": "default", "jobDefinition": "worker:1"}
    return JobRequest("a-1", parameters)
