"""The port to what jobs write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from batchtask_executor.view.links import LogStream


class OutputUnavailable(Exception):
    """What a job wrote can't be read; the text says why, and what a person can do."""


@dataclass(frozen=True, slots=True)
class OutputEvent:
    """One line that a job wrote."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a job wrote, from the first line on."""

    events: Sequence[OutputEvent]
    is_whole: bool = True
    """Whether there was no more; else the rest is too much to be shown."""


class Output(Protocol):
    """What jobs write."""

    def read(self, stream: LogStream) -> Written:
        """Read a stream; nothing where it isn't there (yet).

        Raises:
            OutputUnavailable: it can't be read.
        """
