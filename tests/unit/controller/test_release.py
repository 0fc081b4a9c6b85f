"""Letting every task go: a controller gets its time, and then nothing is waited for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from batchtask_controller.check import check
from batchtask_controller.release import release
from batchtask_controller.tasks import Conflict, Gone, Unreachable
from fakes.clock import FakeClock, VirtualTimeLoop
from fakes.estate import FakeEstate, FakeInstallation

T = TypeVar("T")

Run = Callable[[Callable[[FakeClock], Coroutine[Any, Any, T]]], T]


def run(work: Callable[[FakeClock], Coroutine[Any, Any, T]]) -> tuple[T, float]:
    """Run it in time that passes by itself; give its result and how long it took."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return runner.run(work(loop.clock)), loop.clock.monotonic()


def released(
    estate: FakeEstate, *, wait_seconds: float = 30, with_definition: bool = False
) -> tuple[list[str], float]:
    left, took = run(
        lambda clock: release(
            estate, clock, wait_seconds=wait_seconds, with_definition=with_definition
        )
    )
    return [task.name for task in left], took


def test_without_tasks_there_is_nothing_to_wait_for() -> None:
    assert released(FakeEstate()) == ([], 0)


def test_a_controller_that_runs_lets_them_go_itself() -> None:
    estate = FakeEstate("a", "b", let_go_after=3)

    left, took = released(estate)

    assert left == []
    assert took < 10
    assert estate.stripped == []


def test_without_a_controller_the_finalizers_are_dropped_after_the_wait() -> None:
    estate = FakeEstate("a", "b")

    left, took = released(estate)

    assert left == []
    assert estate.stripped == ["a", "b"]
    assert 30 <= took < 35


def test_no_wait_is_no_wait() -> None:
    estate = FakeEstate("a")

    assert released(estate, wait_seconds=0) == ([], 1)
    assert estate.stripped == ["a"]


def test_with_the_definition_gone_no_new_task_can_come() -> None:
    estate = FakeEstate("a", let_go_after=2)

    left, _ = released(estate, with_definition=True)

    assert left == []
    assert not estate.takes_tasks
    assert estate.deleted_by_us == []


def test_a_task_that_comes_in_between_goes_too() -> None:
    estate = FakeEstate("a", comes_later="late")

    left, _ = released(estate, wait_seconds=0)

    assert left == []
    assert estate.stripped == ["a", "late"]


def test_the_finalizers_of_others_stay_and_their_tasks_are_told() -> None:
    estate = FakeEstate("a", other_finalizers=("x/y",))

    left, took = released(estate, wait_seconds=0)

    assert left == ["a"]
    assert estate.tasks["a"].finalizers == ("x/y",)
    assert took >= 60


@pytest.mark.parametrize("error", [Unreachable("no answer"), Conflict("changed"), Gone("gone")])
def test_an_error_costs_a_round_and_no_more(error: Exception) -> None:
    estate = FakeEstate("a", fails_once=error)

    assert released(estate, wait_seconds=0)[0] == []


def test_an_api_server_that_stays_away_is_no_success() -> None:
    with pytest.raises(Unreachable):
        released(FakeEstate("a", away_for=1000), wait_seconds=0)


def test_an_api_server_that_is_away_is_asked_again() -> None:
    estate = FakeEstate("a", away_for=5)

    assert released(estate, wait_seconds=0)[0] == []


def checked(installation: FakeInstallation) -> str | None:
    return run(lambda clock: check(installation, ["airflow-tasks"], clock))[0]


def test_a_lease_that_is_renewed_has_a_leader() -> None:
    assert checked(FakeInstallation(holder="one", renews=True)) is None


def test_a_lease_that_nobody_renews_has_none() -> None:
    assert "the Lease of one was not renewed" in (checked(FakeInstallation(holder="one")) or "")


def test_a_lease_that_was_let_go_has_none() -> None:
    assert "no controller leads" in (checked(FakeInstallation(holder="", renews=True)) or "")


def test_without_a_lease_no_controller_has_ever_led() -> None:
    assert "no controller has ever led" in (checked(FakeInstallation(holder=None)) or "")
