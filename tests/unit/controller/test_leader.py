"""Leader election: never two at once, and soon another when one is gone."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from batchtask_controller.leader import Leader
from batchtask_controller.tasks import Refused, Unreachable
from batchtask_controller.timings import Timings
from fakes.clock import FakeClock
from fakes.cluster import Failure, FakeCluster

TIMINGS = Timings()
DURATION = TIMINGS.lease_duration
RENEW_DEADLINE = TIMINGS.renew_deadline
RETRY = TIMINGS.lease_retry

GONE = Failure(Unreachable("the API server does not answer"))
LOST_REPLY = Failure(Unreachable("the API server does not answer"), takes_effect=True)


class Rivals:
    """Processes that would lead, on one Lease."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.cluster = FakeCluster(clock)
        self.leaders: dict[str, Leader] = {}
        self.running: dict[str, asyncio.Task[None]] = {}
        self.were_two = False

    def start(self, name: str) -> Leader:
        leader = Leader(self.cluster, name, self.clock, TIMINGS)
        self.leaders[name] = leader
        self.running[name] = asyncio.create_task(leader.run())
        return leader

    async def kill(self, name: str) -> None:
        """End its loop; what it believes of itself stays, as in a process that hangs."""
        self.running[name].cancel()
        await asyncio.gather(self.running[name], return_exceptions=True)

    async def passes(self, seconds: float) -> None:
        """Look twenty times a second whether two lead."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            await asyncio.sleep(0.05)
            self.were_two |= len(self.leading()) > 1

    def leading(self) -> list[str]:
        return [name for name, leader in self.leaders.items() if leader.leads()]


@pytest.fixture
async def rivals(clock: FakeClock) -> AsyncIterator[Rivals]:
    made = Rivals(clock)
    yield made
    for name in made.running:
        await made.kill(name)
    assert not made.were_two


async def test_the_first_process_leads_at_once(rivals: Rivals) -> None:
    leader = rivals.start("one")

    await asyncio.wait_for(leader.gained(), 1)

    assert rivals.cluster.lease is not None
    assert rivals.cluster.lease["spec"]["holderIdentity"] == "one"


async def test_the_second_stands_by_and_says_who_leads(
    rivals: Rivals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rivals.start("one")
    await rivals.passes(1)

    rivals.start("two")
    await rivals.passes(60)

    assert rivals.leading() == ["one"]
    said = [each for each in caplog.records if "standing by" in each.message]
    assert [each.__dict__["leader"] for each in said] == ["one"]


async def test_a_dead_leader_is_followed_when_its_lease_has_run_out(rivals: Rivals) -> None:
    rivals.start("one")
    await rivals.passes(1)
    rivals.start("two")
    await rivals.passes(20)

    await rivals.kill("one")
    await rivals.passes(RENEW_DEADLINE)
    assert "two" not in rivals.leading()
    await rivals.passes(DURATION + 2 * RETRY)

    assert rivals.leading() == ["two"]


async def test_a_leader_that_stops_lets_another_lead_at_once(rivals: Rivals) -> None:
    rivals.start("one")
    await rivals.passes(1)
    rivals.start("two")
    await rivals.passes(10)

    await rivals.kill("one")
    await rivals.leaders["one"].release()
    await rivals.passes(RETRY + 0.5)

    assert rivals.leading() == ["two"]


async def test_a_leader_that_cannot_renew_stops_before_another_may_start(rivals: Rivals) -> None:
    one = rivals.start("one")
    await rivals.passes(1)
    rivals.start("two")
    await rivals.passes(10)

    rivals.cluster.fail_next("replace", *[GONE] * 20)
    await rivals.passes(RENEW_DEADLINE + 0.1)

    assert not one.leads()


async def test_lost_is_told_to_who_waits_for_it(rivals: Rivals) -> None:
    one = rivals.start("one")
    await one.gained()
    rivals.cluster.is_down = True

    await asyncio.wait_for(one.lost(), RENEW_DEADLINE + RETRY + 1)

    assert not one.leads()


async def test_the_lead_comes_back_with_the_api_server(rivals: Rivals) -> None:
    one = rivals.start("one")
    await rivals.passes(1)
    rivals.cluster.is_down = True
    await rivals.passes(60)
    rivals.cluster.is_down = False

    await asyncio.wait_for(one.gained(), 2 * RETRY)


async def test_an_api_server_that_hangs_is_not_waited_for(rivals: Rivals) -> None:
    one = rivals.start("one")
    await rivals.passes(1)

    rivals.cluster.latency_seconds = 3600
    await rivals.passes(RENEW_DEADLINE + 0.1)
    assert not one.leads()
    rivals.cluster.latency_seconds = 0
    await rivals.passes(RENEW_DEADLINE + RETRY)

    assert one.leads()


async def test_a_renewal_whose_reply_was_lost_costs_no_more_than_a_moment(rivals: Rivals) -> None:
    one = rivals.start("one")
    await rivals.passes(1)
    rivals.cluster.fail_next("replace", LOST_REPLY)

    await rivals.passes(3 * RETRY)

    assert one.leads()


@pytest.mark.parametrize("seconds", [-86_400, -600, 600, 86_400])
async def test_a_wall_clock_that_jumps_changes_nothing(rivals: Rivals, seconds: float) -> None:
    rivals.start("one")
    await rivals.passes(1)
    rivals.start("two")
    await rivals.passes(10)

    rivals.clock.jump(seconds)
    await rivals.passes(60)

    assert rivals.leading() == ["one"]


async def test_a_process_that_slept_does_not_believe_that_it_still_leads(rivals: Rivals) -> None:
    one = rivals.start("one")
    await rivals.passes(1)

    rivals.clock.advance(RENEW_DEADLINE)

    assert not one.leads()


async def test_a_dead_processs_lease_in_the_far_future_is_taken_all_the_same(
    rivals: Rivals,
) -> None:
    rivals.clock.jump(86_400)
    rivals.start("one")
    await rivals.passes(1)
    await rivals.kill("one")
    rivals.clock.jump(-86_400)

    two = rivals.start("two")

    await asyncio.wait_for(two.gained(), DURATION + 2 * RETRY)


async def test_many_that_start_at_once_end_with_one(rivals: Rivals) -> None:
    rivals.cluster.latency_seconds = 0.1
    for name in "abcdef":
        rivals.start(name)

    await rivals.passes(30)

    assert len(rivals.leading()) == 1


async def test_a_deleted_lease_is_made_anew(rivals: Rivals) -> None:
    rivals.start("one")
    await rivals.passes(1)

    rivals.cluster.lease = None
    await rivals.passes(3 * RETRY)

    assert rivals.leading() == ["one"]
    assert rivals.cluster.lease is not None


async def test_the_holder_changes_count_as_transitions(rivals: Rivals) -> None:
    rivals.start("one")
    await rivals.passes(5)
    await rivals.kill("one")
    rivals.start("two")
    await rivals.passes(DURATION + 2 * RETRY)

    assert rivals.cluster.lease is not None
    spec = rivals.cluster.lease["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)


async def test_a_missing_namespace_of_the_lease_is_said_in_words(
    rivals: Rivals, caplog: pytest.LogCaptureFixture
) -> None:
    rivals.cluster.has_lease_namespace = False

    one = rivals.start("one")
    await rivals.passes(1)

    assert not one.leads()
    assert "the Lease's namespace isn't there" in caplog.text
    assert "BATCHTASK_LEASE_NAMESPACE" in caplog.text


async def test_a_missing_right_to_the_lease_is_said_in_words(
    rivals: Rivals, caplog: pytest.LogCaptureFixture
) -> None:
    rivals.cluster.fail_next("read", Failure(Refused("GET leases: 403 leases is forbidden")))

    rivals.start("one")
    await rivals.passes(1)

    assert "Lease could not be renewed: GET leases: 403 leases is forbidden" in caplog.text
