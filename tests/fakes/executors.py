"""The executor over a stand-in for the cluster, and the scheduler's part of its loop."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from airflow.executors.workloads import ExecuteTask

from batchtask_executor import airflow_versions as versions
from batchtask_executor.backoff import Backoff
from batchtask_executor.checks.health import Premises
from batchtask_executor.claim.gate import Claimant
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_claims import KubeClaims
from batchtask_executor.cluster.tasks import BatchTasks
from batchtask_executor.config import Settings
from batchtask_executor.executor import BatchTaskExecutor
from batchtask_executor.following.rows import Rows
from fakes.airflow import execute_task
from fakes.awaiting import until
from fakes.claims import FakeClaims, a_claimant
from fakes.premises import FakePremises
from fakes.rows import FakeRows
from fakes.tasks import FakeBatchTasks


class ConfiguredExecutor(BatchTaskExecutor):
    """The executor as it is configured, with short waits between tries."""

    backoff: ClassVar[Backoff] = Backoff(first_seconds=0.01, most_seconds=0.05)
    airflow = "this-airflow"
    """The id that its database would have, if there was one."""

    def __init__(self, *, rows: FakeRows | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows or FakeRows()
        self.rows.remake = self.rows.remake or self._like
        self.drops_events = False
        """Whether the scheduler finds the rows locked, and drops what it drained."""
        self._ahead = timedelta()
        self.logged: list[tuple[str | None, str, str | None]] = []
        """The task events that the scheduler saved: task id, event, text."""

    def read_rows(self) -> Rows:
        return self.rows

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def pass_time(self, seconds: float) -> None:
        """Let time go by for what the executor decides."""
        self._ahead += timedelta(seconds=seconds)

    def _like(self, workload: ExecuteTask) -> ExecuteTask:
        return execute_task(self, **workload.ti.model_dump(), **_unshown(workload))

    def claimant(self, settings: Settings) -> Claimant:
        return a_claimant(KubeClaims(settings, KubeApi(settings)), self.airflow)

    def wait_for_the_end(self) -> None:
        """Wait for the threads that end() told to stop."""
        if self._parts:
            self._parts.checkup.join(10)
            self._parts.gate.join(10)
            self._parts.writer.join(10)
            self._parts.cache.join(10)
            self._parts.inquiries.join(10)

    def workload(self, **of: Any) -> ExecuteTask:
        """A task instance's workload as the scheduler makes it for this executor."""
        return execute_task(self, **of)

    def queue(self, **of: Any) -> ExecuteTask:
        """Queue a task instance as the scheduler does, outside its heartbeat."""
        workload = self.workload(**of)
        self.rows.queue(workload, self.job_id, key=versions.key(self, workload))
        self.queue_workload(workload, None)  # type: ignore[arg-type]
        return workload

    def loop(self) -> dict[Any, tuple[str | None, Any]]:
        """Go once through the scheduler's loop, and return the events that it drained."""
        self.heartbeat()
        while self._task_event_logs:
            record = self._task_event_logs.popleft()
            self.logged.append((record.task_id, record.event, record.extra))
        events = self.get_event_buffer()
        if not self.drops_events:
            for key, (state, info) in events.items():
                self.rows.take(key, state, info, self.job_id)
        return events

    def loop_until_event(self, key: Any) -> tuple[str | None, Any]:
        """Loop until there is an event of this key."""
        found: dict[Any, tuple[str | None, Any]] = {}

        def seen() -> bool:
            found.update(self.loop())
            return key in found

        until(seen)
        return found[key]

    def loop_until(self, condition: Callable[[], object]) -> dict[Any, tuple[str | None, Any]]:
        """Loop until the condition holds, and return all events of the way."""
        events: dict[Any, tuple[str | None, Any]] = {}

        def holds() -> object:
            events.update(self.loop())
            return condition()

        until(holds)
        return events


def _unshown(workload: ExecuteTask) -> dict[str, Any]:
    """What Airflow leaves out of a dump."""
    ti = workload.ti
    return {
        "external_executor_id": ti.external_executor_id,
        "executor_config": ti.executor_config,
    }


class ExecutorOver(ConfiguredExecutor):
    """The executor over a given port."""

    def __init__(
        self, tasks: BatchTasks, *, claims: FakeClaims | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._given = tasks
        self._claims = claims or FakeClaims()

    def connect(self, settings: Settings, answer_within: float | None = None) -> BatchTasks:
        del settings, answer_within
        return self._given

    def claimant(self, settings: Settings) -> Claimant:
        del settings
        return a_claimant(self._claims, self.airflow)

    def premises(self, settings: Settings) -> Premises:
        del settings
        return FakePremises()


class LoadedExecutor(ExecutorOver):
    """The executor as Airflow's loader makes it, by its class's path; over a cluster of its own."""

    def __init__(self, **kwargs: Any) -> None:
        self.cluster = FakeBatchTasks()
        super().__init__(self.cluster, **kwargs)


def options(**values: Any) -> Mapping[str, str]:
    """Options of the section as environment variables."""
    return {
        f"AIRFLOW__BATCHTASK_EXECUTOR__{name.upper()}": (
            value if isinstance(value, str) else json.dumps(value)
        )
        for name, value in values.items()
    }
