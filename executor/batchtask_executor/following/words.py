"""What the executor has to say to Airflow."""

from collections.abc import Hashable
from dataclasses import dataclass

from batchtask_executor.following.outcome import End


@dataclass(frozen=True, slots=True)
class Holds:
    """The key occupies a slot."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class Freed:
    """The key's slot is free, and there is nothing to tell."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class Ended:
    """The key's job has ended, or there won't be one."""

    key: Hashable
    end: End


@dataclass(frozen=True, slots=True)
class Identified:
    """The key goes by this external id, and not by the one that its row has."""

    key: Hashable
    external_id: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that the task's user should be able to read."""

    key: Hashable
    event: str
    text: str


Word = Holds | Freed | Ended | Identified | Noted
