"""A stateful stand-in for an instance's claim in the cluster, and for an Airflow's own id."""

import threading
from dataclasses import dataclass, field

from batchtask_executor.claim.gate import Claimant
from batchtask_executor.claim.instance import Claim, Claims, OwnId
from batchtask_executor.cluster.tasks import AlreadyExists, TasksError


@dataclass
class FakeClaims:
    """The claim of one instance; `down` makes every request fail, `rival` is faster than a create.

    `requests` counts what was asked for.
    """

    held: Claim | None = None
    down: TasksError | None = None
    rival: Claim | None = None
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> Claim | None:
        self._arrive()
        return self.held

    def create(self, claim: Claim) -> None:
        self._arrive()
        with self._lock:
            self.held, self.rival = self.held or self.rival, None
            if self.held:
                raise AlreadyExists("can't make the claim: it exists (409)")
            self.held = claim

    def take_over(self, claim: Claim) -> None:
        self._arrive()
        self.held = claim

    def _arrive(self) -> None:
        with self._lock:
            self.requests += 1
        if self.down:
            raise self.down


@dataclass
class FixedId:
    """The id of an Airflow whose database has one; `down` makes it unreadable."""

    value: str = "this-airflow"
    down: TasksError | None = None

    def peek(self) -> str | None:
        return self.get()

    def get(self) -> str:
        if self.down:
            raise self.down
        return self.value


def a_claimant(claims: Claims, airflow: str = "this-airflow") -> Claimant:
    """An Airflow of this id."""
    return Claimant(claims, FixedId(airflow), by=lambda: f"https://{airflow}.example")


_: type[Claims] = FakeClaims
__: type[OwnId] = FixedId
