"""Questions about Airflow's rows: one that can't be answered keeps no other from its answer."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from batchtask_executor.backoff import Backoff
from batchtask_executor.following.inquiries import (
    Answer,
    Inquiries,
    Look,
    Looked,
    NotRemade,
    Remake,
    Unread,
)
from batchtask_executor.following.rows import Place, RowsUnavailable
from fakes.awaiting import until
from fakes.executors import ExecutorOver
from fakes.rows import FakeRows
from fakes.tasks import FakeBatchTasks


@pytest.fixture
def rows() -> FakeRows:
    return FakeRows()


@pytest.fixture
def inquiries(rows: FakeRows) -> Iterator[Inquiries]:
    inquiries = Inquiries(rows, backoff=Backoff(first_seconds=0.01, most_seconds=0.02))
    yield inquiries
    inquiries.stop()
    inquiries.join(5)


def queued(rows: FakeRows, count: int) -> Sequence[Place]:
    """The places of so many rows."""
    airflow = ExecutorOver(FakeBatchTasks())
    for number in range(count):
        rows.queue(airflow.workload(map_index=number), 1)
    return list(rows.rows)


def answers_of(inquiries: Inquiries, count: int) -> list[Answer]:
    found: list[Answer] = []

    def enough() -> bool:
        found.extend(inquiries.drain())
        return len(found) >= count

    until(enough)
    return found


def look(place: Place) -> Look:
    return Look(str(place), place)


def test_what_waits_together_is_read_with_one_request(inquiries: Inquiries, rows: FakeRows) -> None:
    places = queued(rows, 100)
    inquiries.put(map(look, places))

    inquiries.start()

    assert answers_of(inquiries, 100) == [Looked(str(each), rows.rows[each]) for each in places]
    assert rows.requests == {"find": 1}


def test_rows_that_cannot_be_read_keep_no_other_from_being_read(
    inquiries: Inquiries, rows: FakeRows
) -> None:
    places = queued(rows, 100)
    rows.bad = {places[7], places[70]}
    inquiries.put(map(look, places))

    inquiries.start()

    found = answers_of(inquiries, 100)
    assert [each for each in found if isinstance(each, Unread)] == [
        Unread(str(places[number])) for number in (7, 70)
    ]
    assert sum(isinstance(each, Looked) and each.row is not None for each in found) == 98
    assert rows.requests["find"] < 30  # about 2 * log2(100) for each of the two


def test_a_row_that_cannot_be_read_is_named_in_the_log_without_end(
    inquiries: Inquiries, rows: FakeRows, caplog: pytest.LogCaptureFixture
) -> None:
    places = queued(rows, 10)
    rows.bad = {places[3]}
    inquiries.start()
    for _ in range(5):
        inquiries.put(map(look, places))
        answers_of(inquiries, 10)

    assert caplog.text.count("can't be read") == 1
    assert str(places[3]) in caplog.text


def test_a_database_that_does_not_answer_is_asked_again_for_all(
    inquiries: Inquiries, rows: FakeRows
) -> None:
    places = queued(rows, 10)
    rows.down = RowsUnavailable("the connection broke")
    inquiries.put(map(look, places))
    inquiries.start()
    until(lambda: rows.requests["find"] > 3)
    assert not inquiries.drain()

    rows.down = None

    assert len(answers_of(inquiries, 10)) == 10


def test_a_workload_that_cannot_be_made_anew_keeps_no_row_from_being_read(
    inquiries: Inquiries, rows: FakeRows
) -> None:
    def broken(workload: Any) -> Any:
        raise PermissionError(f"no key: {workload.token}")

    (place,) = queued(rows, 1)
    rows.remake = broken
    inquiries.put([Remake("it", place, rows.rows[place].external_id), look(place)])

    inquiries.start()

    read, unmade = answers_of(inquiries, 2)
    assert isinstance(read, Looked)
    assert isinstance(unmade, NotRemade)
    assert "PermissionError" in unmade.message
    assert "eyJ" not in unmade.message
