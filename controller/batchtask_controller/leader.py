"""Leader election on a Lease: one process acts, the others keep their caches warm.

The holder is believed for the Lease's duration after the last change of it that this process saw,
by its own monotonic clock; never by a time that another process wrote.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from batchtask_controller import metrics
from batchtask_controller.clock import Clock
from batchtask_controller.tasks import Conflict, Gone, TasksError
from batchtask_controller.timings import Timings

log = logging.getLogger(__name__)


class Leases(Protocol):
    """The one Lease, in Kubernetes' own shape."""

    async def read(self) -> Mapping[str, Any] | None:
        """The Lease, None where there is none yet."""

    async def create(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make it; Conflict where another process was faster."""

    async def replace(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change it; Conflict where it was changed since it was read."""


@dataclass(slots=True)
class _Seen:
    """Another's Lease: the version last seen, and when by our own clock."""

    version: str
    at: float


class Leader:
    """Whether this process leads, and the loop that keeps it so."""

    def __init__(self, leases: Leases, identity: str, clock: Clock, timings: Timings) -> None:
        self._leases = leases
        self._identity = identity
        self._clock = clock
        self._timings = timings
        self._lease: Mapping[str, Any] | None = None
        self._renewed = float("-inf")
        self._seen: _Seen | None = None
        self._told: str | None = None
        self._said_to_lead = False
        self._changed = asyncio.Event()

    def leads(self) -> bool:
        """Whether this process may act now; may be asked from any thread."""
        return self._clock.monotonic() - self._renewed < self._timings.renew_deadline

    async def gained(self) -> None:
        """Wait until this process leads."""
        while not self.leads():
            self._changed.clear()
            await self._changed.wait()

    async def lost(self) -> None:
        """Wait until this process no longer leads."""
        while self.leads():
            self._changed.clear()
            await self._changed.wait()

    async def run(self) -> None:
        """Try to gain the Lease, and renew it, for ever."""
        while True:
            await self.step()
            await asyncio.sleep(self._timings.lease_retry)

    async def step(self) -> None:
        """Try once."""
        started = self._clock.monotonic()
        deadline = self._timings.renew_deadline
        try:
            async with asyncio.timeout(deadline):  # wait_for() can swallow a cancellation
                await self._try(started)
        except TimeoutError:
            log.warning("Lease could not be renewed: no answer within %.0f s", deadline)
        except TasksError as error:
            log.warning("Lease could not be renewed: %s", error)
        self._say(leads=self.leads())
        self._changed.set()

    def _say(self, *, leads: bool) -> None:
        """Tell of a change since it was last told: the lead runs out between two tries too."""
        if leads and not self._said_to_lead:
            log.info("this process leads now", extra={"identity": self._identity})
        elif self._said_to_lead and not leads:
            log.error("leadership was lost; nothing is submitted until it is back")
        self._said_to_lead = leads
        metrics.LEADER.set(leads)

    async def release(self) -> None:
        """Let another process lead at once."""
        if not self.leads() or self._lease is None:
            return
        self._renewed = float("-inf")
        metrics.LEADER.set(0)
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._leases.replace(self._lease, spec)
        except TasksError as error:
            log.warning("Lease could not be released; it runs out by itself: %s", error)
        else:
            log.info("Lease released")

    async def _try(self, started: float) -> None:
        try:
            lease = self._lease if self.leads() else await self._leases.read()
            if lease is None:
                lease = await self._create()
            elif self._may_take(lease):
                lease = await self._leases.replace(lease, self._renewal(lease))
            else:
                return
        except (Conflict, Gone):
            self._lease = None
            if self.leads():
                self._renewed = float("-inf")
            return
        self._lease = lease
        self._renewed = started

    async def _create(self) -> Mapping[str, Any]:
        try:
            return await self._leases.create(self._spec(transitions=0))
        except Gone as error:
            log.error(  # noqa: TRY400 - said in words
                "no controller can lead: the Lease's namespace isn't there; create it, or name "
                "another as BATCHTASK_LEASE_NAMESPACE: %s",
                error,
            )
            raise

    def _may_take(self, lease: Mapping[str, Any]) -> bool:
        spec = lease.get("spec", {})
        holder = spec.get("holderIdentity") or ""
        if holder in {"", self._identity}:
            return True
        version, now = lease["metadata"]["resourceVersion"], self._clock.monotonic()
        if self._seen is None or self._seen.version != version:
            self._seen = _Seen(version, now)
            self._tell(holder)
            return False
        promised = float(spec.get("leaseDurationSeconds") or 0)
        return now - self._seen.at > max(self._timings.lease_duration, promised)

    def _tell(self, holder: str) -> None:
        if self._told != holder:
            self._told = holder
            log.info("standing by: another controller leads", extra={"leader": holder})

    def _renewal(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        spec = lease.get("spec", {})
        transitions = int(spec.get("leaseTransitions") or 0)
        if spec.get("holderIdentity") == self._identity:
            return {**self._spec(transitions), "acquireTime": spec.get("acquireTime")}
        return self._spec(transitions + 1)

    def _spec(self, transitions: int) -> dict[str, Any]:
        now = f"{self._clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._timings.lease_duration),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }
