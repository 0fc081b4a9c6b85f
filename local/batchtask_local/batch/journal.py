"""Every call of the API, on record: who called what, for which job, and how it ended."""

import json
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from batchtask_local.batch.iam import Access

MAX_ENTRIES = 500_000
"""How many entries are held in memory; the file has them all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. It never holds what the call said of the job beyond its name and its tags."""

    time: int
    """When it came, in ms since 1970."""
    operation: str
    outcome: str
    """`ok`, the code of an error, or what befell its reply: dropped, delayed, unreadable."""
    status: int
    """The HTTP status; 0 where no reply was sent."""
    request_id: str
    caller: str
    """The access key's id."""
    took_effect: bool
    """Whether the call did what it is for, whatever its caller was told."""
    job_name: str | None = None
    job_id: str | None = None
    job_count: int | None = None
    """How many jobs it asked for."""
    iam: Sequence[Access] = ()
    """What IAM is asked about it, for the operations that this project calls."""
    milliseconds: float = 0.0
    """How long the answer took."""


class Journal:
    """The record, in memory and as a file of one JSON object a line.

    Args:
        path: the file, which is added to; None: there is none.
    """

    def __init__(self, path: Path | None) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._counts: Counter[tuple[str, str]] = Counter()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        # Line-buffered, so that the record is whole whenever this process dies.
        self._file = None if path is None else path.open("a", buffering=1, encoding="utf-8")

    def add(self, entry: Entry) -> None:
        """Record a call."""
        self._entries.append(entry)
        self._counts[(entry.operation, entry.outcome)] += 1
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry)) + "\n")

    def entries(self, operation: str | None = None, job_name: str | None = None) -> Sequence[Entry]:
        """Return the calls, oldest first: all of them, or those of an operation or a job name."""
        return [
            entry
            for entry in self._entries
            if operation in {None, entry.operation} and job_name in {None, entry.job_name}
        ]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many calls had which outcome, by operation."""
        counted: dict[str, dict[str, int]] = {}
        for (operation, outcome), count in sorted(self._counts.items()):
            counted.setdefault(operation, {})[outcome] = count
        return counted

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
