from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from batchtask_executor.table import TaskTable

KEYS = st.sampled_from(["load", "store"])


def test_only_the_last_id_of_a_key_is_current() -> None:
    table: TaskTable[str] = TaskTable()

    assert table.add("1", "load", "q1") is None
    before = table.add("2", "load", "q2")

    assert before is not None
    assert before.external_id == "1"
    assert not table.is_current(before)
    assert table.end("1") is None
    assert table.end("2") == "load"
    assert len(table) == 0


def test_a_renamed_id_stays_current() -> None:
    table: TaskTable[str] = TaskTable()
    table.add("1", "load", "q1")

    table.rename("1", "2")

    assert "1" not in table
    assert table.end("2") == "load"


def test_a_renamed_id_of_an_earlier_queuing_does_not_become_current() -> None:
    table: TaskTable[str] = TaskTable()
    table.add("1", "load", "q1")
    table.add("2", "load", "q2")

    table.rename("1", "3")

    assert table.end("3") is None
    assert table.end("2") == "load"


def test_an_adopted_id_becomes_current_unless_its_key_was_queued_again() -> None:
    table: TaskTable[str] = TaskTable()
    table.adopt("1")
    table.adopt("2")
    table.add("3", "store", "q3")

    assert set(table.unresolved()) == {"1", "2"}
    assert table.resolve("1", "load")
    assert not table.resolve("2", "store")
    assert not table.unresolved()
    assert table.end("2") is None
    assert table.end("3") == "store"


def test_what_left_running_is_found() -> None:
    table: TaskTable[str] = TaskTable()
    table.add("1", "load", "q1")
    table.add("2", "store", "q2")

    assert [entry.external_id for entry in table.left({"store"})] == ["1"]


class Table(RuleBasedStateMachine):
    """Whatever happens: a key has at most one current id, and it is one that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.table: TaskTable[str] = TaskTable()
        self.last: dict[str, str] = {}
        self.count = 0

    @rule(key=KEYS)
    def queue(self, key: str) -> None:
        self.count += 1
        self.table.add(str(self.count), key, f"q{self.count}")
        self.last[key] = str(self.count)

    @rule()
    def adopt(self) -> None:
        self.count += 1
        self.table.adopt(str(self.count))

    @rule(key=KEYS)
    def resolve(self, key: str) -> None:
        for external_id in self.table.unresolved():
            if self.table.resolve(external_id, key):
                self.last[key] = external_id

    @rule(number=st.integers(1, 20))
    def rename(self, number: int) -> None:
        self.count += 1
        entry = self.table.rename(str(number), str(self.count))
        if entry and entry.key and self.last.get(entry.key) == str(number):
            self.last[entry.key] = str(self.count)

    @rule(number=st.integers(1, 20))
    def end(self, number: int) -> None:
        key = self.table.end(str(number))
        if key is not None:
            assert self.last.pop(key) == str(number)

    @invariant()
    def current_ids_are_the_last_ones(self) -> None:
        found = {
            entry.key: entry.external_id for entry in self.table if self.table.is_current(entry)
        }
        assert found == self.last


Table.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTable = Table.TestCase
