"""Which task stands for which task instance, and which of several is the current one."""

from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from batchtask_executor.milestones import Milestones

Key = TypeVar("Key")


@dataclass(slots=True)
class Entry(Generic[Key]):
    """A task that has not ended, by its external id."""

    external_id: str
    key: Key | None
    """Airflow's key; None while it is adopted and not yet found in the cluster."""
    queuing: str | None
    """Which queuing of the key it is; None while it is adopted and not yet found."""
    seen_since: int | None = None
    """The cache's listings begun when it was known to be in the cluster; None before."""
    milestones: Milestones = field(default_factory=Milestones, compare=False)
    """What its user was told of it."""


class TaskTable(Generic[Key]):
    """Keyed by external id, since one key is queued again and again: over deferral, for example.

    A word about an id that isn't its key's current one is about an earlier queuing, and is not
    to change anything in Airflow.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry[Key]] = {}
        self._current: dict[Key, str] = {}
        self._unresolved: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, external_id: str) -> bool:
        return external_id in self._entries

    def __iter__(self) -> Iterator[Entry[Key]]:
        return iter(list(self._entries.values()))

    def get(self, external_id: str) -> Entry[Key] | None:
        """The entry of this id."""
        return self._entries.get(external_id)

    def add(self, external_id: str, key: Key, queuing: str) -> Entry[Key] | None:
        """Add what was queued just now as its key's current id, and return the one before."""
        before = self.current(key)
        self._entries[external_id] = Entry(external_id, key, queuing)
        self._current[key] = external_id
        return before

    def adopt(self, external_id: str) -> None:
        """Add an id whose key is to be found in the cluster."""
        self._entries[external_id] = Entry(external_id, None, None)
        self._unresolved.add(external_id)

    def unresolved(self) -> Collection[str]:
        """The adopted ids whose key isn't known yet."""
        return tuple(self._unresolved)

    def resolve(self, external_id: str, key: Key) -> bool:
        """Give an adopted id its key; False if that key was queued again since."""
        self._unresolved.discard(external_id)
        self._entries[external_id].key = key
        return self._current.setdefault(key, external_id) == external_id

    def rename(self, external_id: str, new: str) -> Entry[Key] | None:
        """Move an entry that has its key to another id."""
        entry = self._entries.get(external_id)
        if entry is None or entry.key is None:
            return None
        if self._current.get(entry.key) == external_id:
            self._current[entry.key] = new
        self._entries[new] = self._entries.pop(external_id)
        entry.external_id = new
        return entry

    def current(self, key: Key) -> Entry[Key] | None:
        """The entry of the key's current id."""
        external_id = self._current.get(key)
        return None if external_id is None else self._entries[external_id]

    def is_current(self, entry: Entry[Key]) -> bool:
        """Whether a word about it is for Airflow."""
        return entry.key is not None and self._current.get(entry.key) == entry.external_id

    def end(self, external_id: str) -> Key | None:
        """Take an id out, and return its key if the id was current."""
        entry = self._entries.pop(external_id, None)
        self._unresolved.discard(external_id)
        if entry is None or entry.key is None or self._current.get(entry.key) != external_id:
            return None
        del self._current[entry.key]
        return entry.key

    def left(self, running: Set[object]) -> Collection[Entry[Key]]:
        """The current entries whose key isn't in `running`: somebody else has ended them."""
        gone = self._current.keys() - running
        return [self._entries[self._current[key]] for key in gone]
