"""The log streams of jobs, and CloudWatch Logs' GetLogEvents over them."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.model import Document, LogStream

GROUP = "/aws/batch/job"
"""Where jobs write to whose definition names no group of its own."""
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_OVERHEAD = 26
"""Bytes that CloudWatch counts for each event beside its message."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line, with its time in ms."""

    timestamp: int
    message: str

    @property
    def size(self) -> int:
        """Return what it counts of a reply's 1 MB."""
        return len(self.message.encode()) + EVENT_OVERHEAD


@dataclass(slots=True)
class _Stream:
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))
    dropped: int = 0
    """How many events are only in the file any more: positions count them."""

    def append(self, event: Event) -> None:
        if len(self.events) == MAX_EVENTS:
            self.dropped += 1
        self.events.append(event)


class LogStore:
    """Log streams: whole as text files, the last 10,000 lines of each readable by the API.

    Args:
        directory: where the files are, by stream name.
        now: the time in ms.
    """

    def __init__(self, directory: Path, now: Callable[[], int]) -> None:
        self._directory = directory
        self._now = now
        self._streams: dict[LogStream, _Stream] = {}

    def path(self, stream: LogStream) -> Path:
        """Return the text file of a stream, whose name holds its task's id."""
        return self._directory / f"{stream.name}.log"

    def open(self, stream: LogStream) -> None:
        """Make an empty stream, where it isn't there."""
        if stream not in self._streams:
            self._streams[stream] = _Stream()

    def append(self, stream: LogStream, lines: Sequence[str]) -> None:
        """Add lines to a stream, which need not be there."""
        self.open(stream)
        now = self._now()
        for line in lines:
            self._streams[stream].append(Event(now, line))
        path = self.path(stream)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def get_log_events(self, request: Document) -> Document:
        """Answer GetLogEvents.

        Raises:
            ApiError: no such group or stream, or a parameter that isn't right.
        """
        told = request.get("logGroupName", request.get("logGroupIdentifier", ""))
        group = told.removesuffix(":*").rpartition(":log-group:")[2]
        stream = self._streams.get(LogStream(group, request["logStreamName"]))
        if stream is None:
            is_there = group in {GROUP, *(each.group for each in self._streams)}
            raise _not_found("stream" if is_there else "group")
        return _page(stream, request)


def _page(stream: _Stream, request: Document) -> Document:
    limit = request.get("limit", MAX_EVENTS)
    if not 1 <= limit <= MAX_EVENTS:
        raise ApiError("InvalidParameterException", f"limit must be 1 to {MAX_EVENTS}")
    events = list(stream.events)
    low, high = _range(events, request)
    direction, position = _start(request, stream.dropped, low, high)
    if direction == "f":
        window = events[position:high][:limit]
        start = position
        stop = position + _fitting(window)
    else:
        window = events[low:position][-limit:]
        stop = position
        start = position - _fitting(window[::-1])
    return {
        "events": [_wire(event) for event in islice(events, start, stop)],
        "nextForwardToken": _token("f", stream.dropped + stop),
        "nextBackwardToken": _token("b", stream.dropped + start),
    }


def _range(events: Sequence[Event], request: Document) -> tuple[int, int]:
    """Return the positions between startTime (inclusive) and endTime (exclusive)."""

    def position(time: int) -> int:
        return bisect_left(events, time, key=lambda event: event.timestamp)

    low = position(request["startTime"]) if "startTime" in request else 0
    high = position(request["endTime"]) if "endTime" in request else len(events)
    return low, max(low, high)


def _start(request: Document, dropped: int, low: int, high: int) -> tuple[Literal["f", "b"], int]:
    """Return the direction to read in and the position to start at."""
    token = request.get("nextToken")
    if token is None:
        return ("f", low) if request.get("startFromHead") else ("b", high)
    head, _, digits = token.removesuffix("/s").partition("/")
    if head not in {"f", "b"} or not digits.isdecimal():
        raise ApiError("InvalidParameterException", "The specified nextToken is invalid.")
    position = min(max(int(digits) - dropped, low), high)
    return ("f", position) if head == "f" else ("b", position)


def _fitting(window: Sequence[Event]) -> int:
    """Return how many of the first events fit into one reply; at least one, if there is one."""
    size = 0
    for count, event in enumerate(window):
        size += event.size
        if size > MAX_BYTES and count:
            return count
    return len(window)


def _token(direction: str, position: int) -> str:
    return f"{direction}/{position:056d}/s"


def _wire(event: Event) -> Document:
    return {
        "timestamp": event.timestamp,
        "message": event.message,
        "ingestionTime": event.timestamp,
    }


def _not_found(what: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"The specified log {what} does not exist.")
