from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.logs import GROUP, MAX_EVENTS, LogStore
from batchtask_local.batch.model import LogStream

STREAM = LogStream(GROUP, "d/default/t")
Read = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    times = iter(range(1000, 1_000_000))
    return LogStore(tmp_path, lambda: next(times))


@pytest.fixture
def read(store: LogStore) -> Read:
    def get(**more: Any) -> Any:
        return store.get_log_events({"logGroupName": GROUP, "logStreamName": STREAM.name, **more})

    return get


def messages(reply: Any) -> list[str]:
    return [event["message"] for event in reply["events"]]


def fill(store: LogStore, count: int) -> None:
    for number in range(count):
        store.append(STREAM, [str(number)])


def test_reading_forward_ends_with_the_token_that_was_passed(store: LogStore, read: Read) -> None:
    fill(store, 5)

    first = read(startFromHead=True, limit=3)
    second = read(startFromHead=True, limit=3, nextToken=first["nextForwardToken"])
    end = read(startFromHead=True, limit=3, nextToken=second["nextForwardToken"])

    assert [messages(page) for page in (first, second, end)] == [["0", "1", "2"], ["3", "4"], []]
    assert end["nextForwardToken"] == second["nextForwardToken"]


def test_without_start_from_head_the_latest_come_first_and_one_can_go_back(
    store: LogStore, read: Read
) -> None:
    fill(store, 5)

    last = read(limit=2)
    before = read(limit=2, nextToken=last["nextBackwardToken"])
    first = read(limit=2, nextToken=before["nextBackwardToken"])
    end = read(limit=2, nextToken=first["nextBackwardToken"])

    assert [messages(page) for page in (last, before, first, end)] == [
        ["3", "4"],
        ["1", "2"],
        ["0"],
        [],
    ]
    assert end["nextBackwardToken"] == first["nextBackwardToken"]


def test_lines_that_come_later_are_found_with_the_forward_token(
    store: LogStore, read: Read
) -> None:
    fill(store, 1)
    token = read(startFromHead=True)["nextForwardToken"]
    store.append(STREAM, ["later"])

    assert messages(read(startFromHead=True, nextToken=token)) == ["later"]


def test_a_time_range_includes_its_start_and_not_its_end(store: LogStore, read: Read) -> None:
    fill(store, 4)

    assert messages(read(startTime=1001, endTime=1003)) == ["1", "2"]


def test_a_page_has_at_most_a_megabyte(store: LogStore, read: Read) -> None:
    store.append(STREAM, ["x" * 400_000 + str(number) for number in range(4)])

    head = read(startFromHead=True)
    tail = read()

    assert [message[-1] for message in messages(head)] == ["0", "1"]
    assert [message[-1] for message in messages(tail)] == ["2", "3"]


def test_the_file_has_what_the_api_has_let_go(store: LogStore, read: Read) -> None:
    store.append(STREAM, [str(number) for number in range(MAX_EVENTS + 10)])

    oldest = read(startFromHead=True, limit=1)

    assert messages(oldest) == ["10"]
    assert oldest["nextForwardToken"] == f"f/{11:056d}/s"
    assert len(store.path(STREAM).read_text().splitlines()) == MAX_EVENTS + 10


def test_an_empty_stream_is_there(store: LogStore, read: Read) -> None:
    store.open(STREAM)

    assert messages(read()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"logStreamName": "other"}, "ResourceNotFoundException"),
        ({"logGroupName": "/other"}, "ResourceNotFoundException"),
        ({"nextToken": "x"}, "InvalidParameterException"),
        ({"limit": 0}, "InvalidParameterException"),
        ({"limit": 10_001}, "InvalidParameterException"),
    ],
)
def test_what_is_not_there_is_refused(
    store: LogStore, read: Read, change: dict[str, Any], code: str
) -> None:
    fill(store, 1)

    with pytest.raises(ApiError) as caught:
        read(**change)

    assert caught.value.code == code
