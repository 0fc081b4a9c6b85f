"""The executors, each with the loop of Airflow's scheduler around it."""

import gc
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sqlalchemy.orm import configure_mappers

from batchtask_executor.backoff import Backoff
from fakes.airflow import execute_task
from fakes.executors import ConfiguredExecutor, options

IDLE_SECONDS = 1.0
"""Airflow's [scheduler] scheduler_idle_sleep_time."""
ROOM = 1_000_000


class Rival(Protocol):
    """An executor, and what it can say of itself."""

    name: str
    executor: Any

    def queue(self, workload: Any) -> None:
        """Queue a workload, with what the scheduler writes of it into its database."""

    def took(self, key: Any, state: str, info: Any) -> None:
        """Write into the database what the scheduler does at an event."""

    def handed_over(self) -> int:
        """How many workloads are where they are to go."""


@dataclass
class Scheduler:
    """Airflow's loop, as far as the executor sees it; it remembers how long each heartbeat took."""

    rival: Rival
    heartbeats: list[float] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)

    def queue(self, tasks: int) -> None:
        """Queue so many task instances, in a process whose models are as ready as a scheduler's."""
        configure_mappers()
        for number in range(tasks):
            workload = execute_task(self.rival.executor, task_id=f"t{number}")
            self.rival.queue(workload)
        gc.collect()  # 0.2 s over a scheduler's objects: what was made here isn't the loop's

    def loop(self) -> None:
        """Go through the loop once."""
        begun = time.perf_counter()
        self.rival.executor.heartbeat()
        self.heartbeats.append(time.perf_counter() - begun)
        for key, (state, info, *_) in self.rival.executor.get_event_buffer().items():
            said = str(getattr(state, "value", state))
            self.rival.took(key, said, info)
            self.events[said] += 1


class _Measured(ConfiguredExecutor):
    """The executor as it is, but for Airflow's database: a stand-in in memory is in its place."""

    backoff: ClassVar[Backoff] = Backoff()


class Ours:
    """BatchTaskExecutor."""

    name = "BatchTaskExecutor"

    def __init__(self, kubeconfig: Path, namespace: str, queue: str, definition: str) -> None:
        given = options(
            in_cluster="False",
            config_file=str(kubeconfig),
            namespace=namespace,
            job_queue=queue,
            job_definition=definition,
        )
        self._written = 0
        with _environment(given):
            self.executor = _Measured(parallelism=ROOM)
            self.executor.start()

    def queue(self, workload: Any) -> None:
        """Queue it, and write its row."""
        self.executor.rows.queue(workload, self.executor.job_id, key=workload.ti.key)
        self.executor.queue_workload(workload, None)  # type: ignore[arg-type]

    def took(self, key: Any, state: str, info: Any) -> None:
        """Write its row."""
        self.executor.rows.take(key, state, info, self.executor.job_id)

    def handed_over(self) -> int:
        """Count the BatchTasks that were written: the executor logs an event for each."""
        records = self.executor._task_event_logs  # noqa: SLF001 - the scheduler's own way
        while records:
            self._written += records.popleft().event == "batchtask created"
        return self._written


class AwsBatch:
    """AwsBatchExecutor."""

    name = "AwsBatchExecutor"

    def __init__(self, url: str, queue: str, definition: str) -> None:
        given = {
            "AIRFLOW__AWS_BATCH_EXECUTOR__REGION_NAME": "us-east-1",
            "AIRFLOW__AWS_BATCH_EXECUTOR__JOB_NAME": "airflow",
            "AIRFLOW__AWS_BATCH_EXECUTOR__JOB_QUEUE": queue,
            "AIRFLOW__AWS_BATCH_EXECUTOR__JOB_DEFINITION": definition,
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_ENDPOINT_URL_BATCH": url,
        }
        with _environment(given):
            from airflow.providers.amazon.aws.executors.batch.batch_executor import (
                AwsBatchExecutor,
            )

            self.executor = AwsBatchExecutor(parallelism=ROOM)
            self.executor.start()

    def queue(self, workload: Any) -> None:
        """Queue it."""
        self.executor.queue_workload(workload, None)

    def took(self, key: Any, state: str, info: Any) -> None:
        """Do nothing: it reads no row."""

    def handed_over(self) -> int:
        """Count the jobs that were submitted and haven't ended."""
        return len(self.executor.active_workers.get_all_jobs())


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
