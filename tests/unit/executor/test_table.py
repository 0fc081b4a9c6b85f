from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from batchtask_executor.following.outcome import Stopped
from batchtask_executor.following.table import Entry, TaskTable

KEYS = st.sampled_from(["load", "store"])


def an_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def an_entry(number: int, key: str | None = "load", **more: Any) -> Entry:
    return Entry(an_id(number), ("etl", str(key), "r", -1), key, **more)


def test_only_the_last_id_of_a_key_is_current() -> None:
    table, first, second = TaskTable(), an_entry(1), an_entry(2)

    assert table.add(first) is None
    assert table.add(second) is first

    assert not table.is_current(first)
    assert table.end(first) is None
    assert table.end(second) == "load"
    assert len(table) == 0


def test_a_renamed_id_stays_current_and_the_old_one_is_remembered() -> None:
    table, entry = TaskTable(), an_entry(1)
    table.add(entry)

    table.rename(entry, an_id(2))

    assert an_id(1) not in table
    assert entry.known_ids == {an_id(1), an_id(2)}
    assert table.end(entry) == "load"


def test_a_renamed_id_of_an_earlier_queuing_does_not_become_current() -> None:
    table, first, second = TaskTable(), an_entry(1), an_entry(2)
    table.add(first)
    table.add(second)

    table.rename(first, an_id(3))

    assert table.end(first) is None
    assert table.end(second) == "load"


def test_an_adopted_id_becomes_current_unless_its_key_was_queued_again() -> None:
    table = TaskTable()
    first, second, third = an_entry(1, None), an_entry(2, None), an_entry(3, "store")
    for entry in (first, second, third):
        table.add(entry)

    assert table.resolve(first, "load")
    assert not table.resolve(second, "store")
    assert table.end(second) is None
    assert table.end(third) == "store"


def test_an_id_that_was_taken_by_another_entry_is_not_ended() -> None:
    table, first, again = TaskTable(), an_entry(1), an_entry(1)
    table.add(first)
    table.end(first)
    table.add(again)

    assert table.end(first) is None
    assert table.end(again) == "load"


def test_a_name_is_that_of_the_last_restart() -> None:
    table, entry = TaskTable(), an_entry(1)
    table.add(entry)
    entry.restarts = 1

    assert table.of_name(f"bt-{an_id(1)}-r1") is entry
    assert table.of_name(f"bt-{an_id(1)}") is None
    assert table.of_name("somebody-elses") is None


def test_what_left_running_is_found_unless_it_was_reported() -> None:
    table, first, second = TaskTable(), an_entry(1), an_entry(2, "store")
    table.add(first)
    table.add(second)

    assert table.left({"store"}) == [first]
    assert {entry.key for entry in table.left(set())} == {"load", "store"}


def test_an_answer_is_about_the_end_that_was_known_when_it_was_asked_for() -> None:
    entry = an_entry(1)
    assert not entry.was_answered()  # it was asked under another name

    entry.asked_about = entry.end
    assert entry.is_asked
    entry.end = Stopped("meanwhile")
    assert not entry.was_answered()

    entry.asked_about = entry.end
    assert entry.was_answered()
    assert not entry.is_asked


class Table(RuleBasedStateMachine):
    """Whatever happens: a key has at most one current id, and it is one that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.table = TaskTable()
        self.last: dict[str, str] = {}
        self.count = 0

    @rule(key=KEYS)
    def queue(self, key: str) -> None:
        self.count += 1
        self.table.add(an_entry(self.count, key))
        self.last[key] = an_id(self.count)

    @rule()
    def adopt(self) -> None:
        self.count += 1
        self.table.add(an_entry(self.count, None))

    @rule(key=KEYS)
    def resolve(self, key: str) -> None:
        for entry in self.table:
            if entry.key is None and self.table.resolve(entry, key):
                self.last[key] = entry.external_id

    @rule(number=st.integers(1, 20))
    def rename(self, number: int) -> None:
        self.count += 1
        if entry := self.table.get(an_id(number)):
            was_current = self.table.is_current(entry)
            self.table.rename(entry, an_id(self.count))
            if was_current:
                self.last[str(entry.key)] = an_id(self.count)

    @rule(number=st.integers(1, 20))
    def end(self, number: int) -> None:
        entry = self.table.get(an_id(number))
        if entry and (key := self.table.end(entry)) is not None:
            assert self.last.pop(str(key)) == an_id(number)

    @invariant()
    def current_ids_are_the_last_ones(self) -> None:
        found = {
            entry.key: entry.external_id for entry in self.table if self.table.is_current(entry)
        }
        assert found == self.last


Table.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTable = Table.TestCase
