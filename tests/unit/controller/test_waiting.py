"""The line of tasks that wait for submission: fair over queues, by priority, then by age."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask_controller.waiting import Waiting


def drained(waiting: Waiting) -> list[str]:
    """Who goes, in order."""
    found = []
    while (uid := waiting.pop()) is not None:
        found.append(uid)
    return found


def test_in_one_queue_the_oldest_goes_first() -> None:
    waiting = Waiting()
    for uid in ("a", "b", "c"):
        waiting.add(uid, "queue", 0)

    assert drained(waiting) == ["a", "b", "c"]


def test_a_higher_priority_goes_before_age() -> None:
    waiting = Waiting()
    for uid, priority in (("low", -1), ("old", 0), ("young", 0), ("high", 5)):
        waiting.add(uid, "queue", priority)

    assert drained(waiting) == ["high", "old", "young", "low"]


def test_a_queue_with_many_tasks_does_not_hold_up_another() -> None:
    waiting = Waiting()
    for number in range(5):
        waiting.add(f"many-{number}", "many", 9)
    waiting.add("few-0", "few", 0)
    waiting.add("few-1", "few", 0)

    assert drained(waiting)[:4] == ["many-0", "few-0", "many-1", "few-1"]


def test_a_task_waits_once_and_keeps_its_place() -> None:
    waiting = Waiting()
    for uid in ("a", "b", "a"):
        waiting.add(uid, "queue", 0)

    assert len(waiting) == 2
    assert drained(waiting) == ["a", "b"]


def test_a_changed_priority_counts() -> None:
    waiting = Waiting()
    for uid in ("a", "b"):
        waiting.add(uid, "queue", 0)

    waiting.add("b", "queue", 1)

    assert drained(waiting) == ["b", "a"]


def test_who_is_taken_out_does_not_go() -> None:
    waiting = Waiting()
    for uid in ("a", "b"):
        waiting.add(uid, "queue", 0)

    waiting.discard("a")
    waiting.discard("unknown")

    assert drained(waiting) == ["b"]
    assert len(waiting) == 0


def test_who_is_taken_out_may_come_again() -> None:
    waiting = Waiting()
    waiting.add("a", "queue", 0)
    waiting.discard("a")

    waiting.add("a", "queue", 0)

    assert drained(waiting) == ["a"]


async def test_the_line_is_waited_for_until_somebody_is_in_it() -> None:
    waiting = Waiting()
    asyncio.get_running_loop().call_later(3, waiting.add, "a", "queue", 0)

    await asyncio.wait_for(waiting.some(), 4)

    assert drained(waiting) == ["a"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting.some(), 4)


STEP = st.tuples(
    st.sampled_from(["add", "discard", "pop"]), st.sampled_from("abcd"), st.integers(0, 2)
)


@given(st.lists(STEP))
def test_whoever_waits_goes_exactly_once(steps: list[tuple[str, str, int]]) -> None:
    waiting, expected = Waiting(), set[str]()
    home = {"a": "q", "b": "r", "c": "q", "d": "r"}

    for action, uid, priority in steps:
        match action:
            case "add":
                waiting.add(uid, home[uid], priority)
                expected.add(uid)
            case "discard":
                waiting.discard(uid)
                expected.discard(uid)
            case _:
                popped = waiting.pop()
                assert (popped is None) == (not expected)
                expected.discard(popped or "")

    assert len(waiting) == len(expected)
    assert sorted(drained(waiting)) == sorted(expected)
