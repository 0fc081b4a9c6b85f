"""Whose an instance is: of two Airflows under one name, the first one to claim it.

| claim in the namespace | this Airflow |
|------------------------|--------------|
| none                   | claims it: Ours, unless another one was faster |
| by this Airflow's id   | Ours |
| by another id          | Foreign: it creates and cancels nothing |

A row that isn't there means "cleared" to the executor, so that without this two Airflows, each with
a database of its own, would cancel each other's tasks.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Protocol

from batchtask_executor.cluster.tasks import AlreadyExists, Conflict
from batchtask_executor.config import SECTION, Settings

_PREFIX: Final = "batchtask-instance-"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds an instance."""

    airflow: str
    """The id that stands in the holder's database."""
    by: str
    """Where the holder is found, for people."""
    at: str
    """Since when, as RFC 3339."""


@dataclass(frozen=True, slots=True)
class Ours:
    """This Airflow holds the instance."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another Airflow holds it."""

    claim: Claim


Standing = Ours | Foreign


class Claims(Protocol):
    """The claim of one instance in its namespace.

    Every method may raise Forbidden and Unavailable.
    """

    def read(self) -> Claim | None:
        """The claim that there is."""

    def create(self, claim: Claim) -> None:
        """Claim what nobody holds.

        Raises:
            AlreadyExists: somebody does.
        """

    def take_over(self, claim: Claim) -> None:
        """Claim it whoever holds it."""


class OwnId(Protocol):
    """The id that stands in this Airflow's database.

    Every method raises Unavailable where the database can't be asked.
    """

    def peek(self) -> str | None:
        """Return it, None where there is none."""

    def get(self) -> str:
        """Return it; make it where there is none."""


def settle(claims: Claims, ours: Claim) -> Standing:
    """Look who holds the instance, and claim it where nobody does.

    Raises:
        TasksError: it can't be told now.
    """
    held = claims.read()
    if held is None:
        try:
            claims.create(ours)
        except AlreadyExists:
            held = claims.read()
            if held is None:
                raise Conflict("the instance's claim came and went") from None
        else:
            return Ours()
    return Ours() if held.airflow == ours.airflow else Foreign(held)


def refusal(foreign: Foreign, settings: Settings) -> str:
    """Say why this Airflow may not write, and the way out."""
    claim = foreign.claim
    return (
        f"instance {settings.instance!r} in namespace {settings.namespace} belongs to another "
        f"Airflow ({claim.by}, id {claim.airflow}, since {claim.at}), so this one creates and "
        f"cancels nothing: give it a name of its own in [{SECTION}] instance; or, where the other "
        "is gone, or this one's database was made anew, run `airflow batchtask claim`"
    )


def claim_name(instance: str) -> str:
    """The name of the object that holds an instance's claim."""
    if _NAME.fullmatch(instance):
        return f"{_PREFIX}{instance}"
    digest = hashlib.sha256(instance.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", instance.lower()).strip("-")
    return f"{_PREFIX}{readable}.{digest}"  # no name that fits as it is has a dot
