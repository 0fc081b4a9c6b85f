"""A stand-in for CloudWatch Logs, as the executor's port Output shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from batchtask_executor.view.links import LogStream
from batchtask_executor.view.output import Output, OutputEvent, Written

_BEGINNING = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)


@dataclass
class FakeOutput:
    """What was written to each stream; `down` makes every read fail with that error."""

    down: Exception | None = None
    most: int = 100
    """Lines of a stream that are shown at most."""
    streams: dict[LogStream, list[OutputEvent]] = field(default_factory=dict)
    reads: int = 0

    def write(self, stream: LogStream, messages: Sequence[str]) -> None:
        """Do as a job: write lines, one a second."""
        events = self.streams.setdefault(stream, [])
        for message in messages:
            at = _BEGINNING + timedelta(seconds=len(events))
            events.append(OutputEvent(at, message))

    def read(self, stream: LogStream) -> Written:
        self.reads += 1
        if self.down:
            raise self.down
        events = self.streams.get(stream, [])
        return Written(events[: self.most], is_whole=len(events) <= self.most)


_: type[Output] = FakeOutput
