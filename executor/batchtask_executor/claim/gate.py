"""Whether this Airflow may write here: a thread asks, and every write passes by the answer."""

import copy
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from batchtask_api import AirflowIdentity, BatchTask
from batchtask_executor.background import Background
from batchtask_executor.backoff import Backoff
from batchtask_executor.claim.instance import (
    Claim,
    Claims,
    Foreign,
    OwnId,
    Standing,
    refusal,
    settle,
)
from batchtask_executor.cluster.manifest import WorkloadSecret
from batchtask_executor.cluster.tasks import (
    BatchTasks,
    Event,
    Forbidden,
    Listing,
    Refused,
    TasksError,
    Unavailable,
)
from batchtask_executor.complaints import Complaints
from batchtask_executor.config import Settings

log = logging.getLogger(__name__)

_INTERVAL_SECONDS: Final = 60.0
_FIRST_ANSWER_SECONDS: Final = 10.0
"""For so long a write waits for the first answer before it is put off."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """This Airflow as one that claims an instance."""

    claims: Claims
    own_id: OwnId
    by: Callable[[], str]
    """Where this Airflow is found, for people; to tell a host's name takes a look-up."""

    def claim(self, now: datetime) -> Claim:
        """The claim that this Airflow makes.

        Raises:
            Unavailable: its database can't be asked.
        """
        at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Claim(self.own_id.get(), self.by(), at)

    def settle(self, now: datetime) -> Standing:
        """Look who holds the instance, and claim it where nobody does.

        Raises:
            TasksError: it can't be told now.
        """
        return settle(self.claims, self.claim(now))


class Gate(Background):
    """Open while this Airflow holds the instance; asked by any thread but the scheduler's."""

    def __init__(
        self,
        claimant: Claimant,
        settings: Settings,
        *,
        backoff: Backoff | None = None,
        interval_seconds: float = _INTERVAL_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__("gate")
        self._claimant = claimant
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._interval = interval_seconds
        self._clock = clock
        self._complaints = Complaints(log)
        self._answered = threading.Event()
        self._standing: Standing | None = None
        self._trouble: TasksError | None = None

    def stop(self) -> None:
        """Ask no more; returns at once."""
        super().stop()
        self._answered.set()

    @property
    def refusal(self) -> str | None:
        """Why this Airflow may not write; None while it may, or isn't known to."""
        standing = self._standing
        return refusal(standing, self._settings) if isinstance(standing, Foreign) else None

    def enter(self) -> None:
        """Return if this Airflow may write; wait a moment for the first answer.

        Raises:
            Refused: another Airflow holds the instance.
            TasksError: it isn't known yet.
        """
        self._answered.wait(_FIRST_ANSWER_SECONDS)
        if why := self.refusal:
            raise Refused(why)
        if self._standing is None:
            trouble = self._trouble or Unavailable("whose the instance is isn't known yet")
            raise copy.copy(trouble)  # one that many threads raise would gather their tracebacks

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                self._take(self._claimant.settle(self._clock()))
                failures = 0
            except TasksError as error:
                failures += 1
                self._fail(error)
            except Exception as error:
                failures += 1
                log.exception("A bug stopped the look at the instance's claim; it begins anew")
                self._fail(Unavailable(f"whose the instance is can't be told: {error!r}"))
            self._stopped.wait(self._backoff.seconds(failures) if failures else self._interval)

    def _take(self, standing: Standing) -> None:
        is_news = standing != self._standing
        self._standing, self._trouble = standing, None
        self._complaints.over()
        if is_news and (why := self.refusal):
            log.error("No task can run on AWS Batch: %s", why)
        self._answered.set()

    def _fail(self, error: TasksError) -> None:
        """Keep what was known; the claim changes by people's hands alone."""
        self._trouble = error
        self._complaints.about(error, mended_by_people=isinstance(error, Forbidden))
        self._answered.set()


class GatedTasks:
    """The port, with the gate before each write."""

    def __init__(self, tasks: BatchTasks, gate: Gate) -> None:
        self._tasks = tasks
        self._gate = gate

    def create(self, task: BatchTask) -> BatchTask:
        """Create the task, if this Airflow may; see the port."""
        self._gate.enter()
        return self._tasks.create(task)

    def put_workload(self, secret: WorkloadSecret) -> None:
        """Write the Secret, if this Airflow may; see the port."""
        self._gate.enter()
        self._tasks.put_workload(secret)

    def cancel(self, name: str) -> None:
        """Ask for the end of the task's job, if this Airflow may; see the port."""
        self._gate.enter()
        self._tasks.cancel(name)

    def get(self, name: str) -> BatchTask | None:
        """Read one task; see the port."""
        return self._tasks.get(name)

    def list(self) -> Listing:
        """Read all tasks; see the port."""
        return self._tasks.list()

    def find(self, airflow: AirflowIdentity) -> Sequence[BatchTask]:
        """Read the tasks of one try; see the port."""
        return self._tasks.find(airflow)

    def watch(self, since: str) -> Iterator[Event]:
        """Follow what happens; see the port."""
        return self._tasks.watch(since)

    def close(self) -> None:
        """End every watch; see the port."""
        self._tasks.close()


_: type[BatchTasks] = GatedTasks
