"""The task's token: minted for as long as a job may wait, and put into the workload."""

import base64
import contextlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self

from pydantic import SecretStr

from batchtask_executor.redaction import presentable


class TokenGenerator(Protocol):
    """Airflow's JWTGenerator, as far as it is needed."""

    def generate(self, extras: dict[str, Any] | None, *, valid_for: float | None) -> str:
        """Sign a token with these claims, good for so many seconds."""


class NoToken(Exception):
    """Airflow's generator gave no token: its key can't be read now, or at all."""


class AirflowWorkload(Protocol):
    """One of Airflow's workloads, as far as it is needed."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """Copy it, with other values."""

    def model_dump_json(self) -> str:
        """Write what the job's container is given; the token is in it."""


@dataclass(frozen=True, slots=True)
class MintedWorkload:
    """What the job's container is given, and until when the token in it is good."""

    content: SecretStr
    expires: datetime


@dataclass(frozen=True, slots=True)
class Queuing:
    """One time that the scheduler queued a task instance."""

    id: str
    """The `jti` of the token that it made then."""
    at: datetime | None = None
    """When it made it, by its own clock, in whole seconds."""

    def is_since(self, queued_at: datetime | None) -> bool:
        """Whether it may be the one of that time, and is none before it; one clock gave both."""
        if self.at is None or queued_at is None:
            return True
        return self.at >= queued_at.replace(microsecond=0)


def queuing(token: str) -> Queuing:
    """Tell by the scheduler's token: it makes another each time it queues a task instance.

    A token without an id, as no Airflow makes it, gets an id of its own.
    """
    claims = _claims(token)
    made = claims.get("iat")
    at = datetime.fromtimestamp(int(made), tz=UTC) if isinstance(made, int | float) else None
    return Queuing(str(claims.get("jti") or uuid.uuid4().hex), at)


def minted(
    workload: AirflowWorkload,
    subject: str,
    generator: Callable[[], TokenGenerator],
    life: timedelta,
) -> MintedWorkload:
    """Put a fresh token into the workload: the scheduler's own ends before most queues do.

    Args:
        workload: the workload as the scheduler made it.
        subject: the task instance's id: the token starts this one task and opens nothing else.
        generator: gives Airflow's, which reads the signing key when it is first asked for.
        life: for how long it is to be good.

    Raises:
        NoToken: the generator can't be had, or doesn't sign.
    """
    extras = {"sub": subject, "scope": "workload"}
    with signing():
        token = generator().generate(extras, valid_for=life.total_seconds())
    content = workload.model_copy(update={"token": token}).model_dump_json()
    expires = datetime.fromtimestamp(_claims(token)["exp"], tz=UTC)
    return MintedWorkload(SecretStr(content), expires)


@contextlib.contextmanager
def signing() -> Iterator[None]:
    """Tell what Airflow's generator raises from other trouble; that may be anything.

    Raises:
        NoToken: instead of it.
    """
    try:
        yield
    except Exception as error:
        why = presentable(f"{type(error).__name__}: {error}")
        raise NoToken(f"Airflow's token generator gives no token: {why}") from error


def _claims(token: str) -> dict[str, Any]:
    """The token's claims; whether they are true is for the API server to verify.

    PyJWT takes seven times as long over a token that it isn't to verify, and the scheduler waits.
    """
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
