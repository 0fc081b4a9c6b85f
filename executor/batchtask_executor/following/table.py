"""Which task stands for which task instance, and which of several is the current one."""

from collections.abc import Collection, Hashable, Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from batchtask_api import BatchTask
from batchtask_executor.cluster.manifest import named, queuing_of, task_name
from batchtask_executor.following.milestones import Milestones
from batchtask_executor.following.outcome import End
from batchtask_executor.following.rows import Place
from batchtask_executor.jobs.tokens import Queuing

_NOT_ASKED: Final = object()


@dataclass(slots=True)
class Entry:
    """A task, until Airflow has taken in how it ended."""

    external_id: str
    place: Place
    key: Hashable | None = None
    """Airflow's key; None while it is adopted and its row wasn't read yet."""
    queuing: Queuing | None = None
    """Which queuing of the key it is; None while it is adopted and not yet found."""
    replaced: frozenset[str | None] = frozenset()
    """What the row had instead of the external id, when it came."""
    try_number: int | None = None
    is_adopted: bool = False
    """Another scheduler created it, if any did, and nothing was written for it here."""
    restarts: int = 0
    """How many tasks were made before this one, none of which started."""
    is_written: bool = True
    """Nothing is being written for it; what the cluster shows of it counts."""
    seen_since: int | None = None
    """The cache's listings begun when it was known to be in the cluster; None before."""
    milestones: Milestones = field(default_factory=Milestones, compare=False)
    """What its user was told of it."""
    written_at: datetime | None = None
    """When its workload was known to be in the cluster."""
    unmade_since: datetime | None = None
    """Since when its workload is to be made anew, and can't be."""
    end: End | None = None
    """How it ended; it stays until Airflow has taken that in."""
    event: str = "batchtask failed"
    """The task event of an end that is no success."""
    reported_at: datetime | None = None
    """When Airflow was last told of the end."""
    unwanted_since: datetime | None = None
    """Since when its row has been found to wait for it no more."""
    is_urgent: bool = False
    """Its row is to be read soon."""
    asked_about: object = _NOT_ASKED
    """The end that was known when the question under way about its row was put."""

    @property
    def name(self) -> str:
        """Of the BatchTask."""
        return task_name(self.external_id, self.restarts)

    @property
    def known_ids(self) -> frozenset[str | None]:
        """What the row may have as its external id."""
        return self.replaced | {self.external_id}

    @property
    def is_asked(self) -> bool:
        """Whether a question about its row is under way."""
        return self.asked_about is not _NOT_ASKED

    def come_to(self, end: End) -> None:
        """Take note of how it ended, unless that is known; its row is to be read for it."""
        if self.end is None:
            self.end, self.is_urgent = end, True

    def is_shown_by(self, task: BatchTask) -> bool:
        """Whether a task of its name is of this queuing, and not of an earlier one."""
        if self.queuing is None:
            return False
        made_by = queuing_of(task)
        return made_by is not None and made_by.id == self.queuing.id

    def was_answered(self) -> bool:
        """Take note of an answer, and say whether it is about what is known now.

        A row that was read before the end was seen may lack the process's last report.
        """
        is_about_this = self.asked_about is self.end
        self.asked_about = _NOT_ASKED
        return is_about_this


class TaskTable:
    """Keyed by external id, since one key is queued again and again: over deferral, for example.

    A word about an id that isn't its key's current one is about an earlier queuing, and is not
    to change anything in Airflow.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._current: dict[Hashable, str] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, external_id: str) -> bool:
        return external_id in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def get(self, external_id: str) -> Entry | None:
        """The entry of this id."""
        return self._entries.get(external_id)

    def of_name(self, name: str) -> Entry | None:
        """The entry whose task has this name now."""
        found = named(name)
        entry = self._entries.get(found[0]) if found else None
        return entry if entry and entry.name == name else None

    def add(self, entry: Entry) -> Entry | None:
        """Add what was queued just now as its key's current one, and return the one before."""
        before = None if entry.key is None else self.current(entry.key)
        self._entries[entry.external_id] = entry
        if entry.key is not None:
            self._current[entry.key] = entry.external_id
        return before

    def adopt(self, external_id: str, place: Place) -> None:
        """Add what another scheduler has queued; or take note that it is to be kept after all."""
        known = self._entries.get(external_id)
        if known is None:
            known = self._entries[external_id] = Entry(external_id, place, is_adopted=True)
        known.is_urgent, known.unwanted_since = True, None

    def resolve(self, entry: Entry, key: Hashable) -> bool:
        """Give an adopted entry its key; False if that key was queued again since."""
        entry.key = key
        return self._current.setdefault(key, entry.external_id) == entry.external_id

    def rename(self, entry: Entry, new: str) -> None:
        """Move an entry to another id."""
        if self.is_current(entry):
            self._current[entry.key] = new
        self._entries[new] = self._entries.pop(entry.external_id)
        entry.replaced |= {entry.external_id}
        entry.external_id = new
        entry.asked_about = _NOT_ASKED  # the answer comes to the old id

    def current(self, key: Hashable) -> Entry | None:
        """The entry of the key's current id."""
        external_id = self._current.get(key)
        return None if external_id is None else self._entries[external_id]

    def is_current(self, entry: Entry) -> bool:
        """Whether a word about it is for Airflow."""
        return entry.key is not None and self._current.get(entry.key) == entry.external_id

    def end(self, entry: Entry) -> Hashable | None:
        """Take an entry out, and return its key if it was current."""
        if self._entries.get(entry.external_id) is not entry:
            return None
        del self._entries[entry.external_id]
        if not self.is_current(entry):
            return None
        del self._current[entry.key]
        return entry.key

    def left(self, running: Set[object]) -> Collection[Entry]:
        """The current entries that Airflow has ended by itself: their keys left `running`."""
        gone = self._current.keys() - running
        found = [self._entries[self._current[key]] for key in gone]
        return [entry for entry in found if entry.reported_at is None]
