"""`python -m chaos.executor`: the executor's own writer, in a process that the suite kills.

It does what an executor does over its lives: it writes what is queued, and after a restart all of
it again, under the same names, for it doesn't know how far it had come.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr

from batchtask_api import AirflowIdentity
from batchtask_executor.backoff import Backoff
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.manifest import Identity, batch_task, task_name
from batchtask_executor.cluster.orders import Draft, Order
from batchtask_executor.cluster.writer import Writer
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import MintedWorkload, Queuing

VARIABLE = "CHAOS_WORKLOADS"
_TICK = 0.02


class Queued(BaseModel):
    """A workload that Airflow's scheduler queues."""

    model_config = ConfigDict(frozen=True)

    name: str
    external_id: str
    queue: str
    at: float
    """In seconds of the wall clock since 1970."""
    cancelled_at: float | None = None


class Workloads(BaseModel):
    """What one executor is given over all its lives."""

    model_config = ConfigDict(frozen=True)

    namespace: str
    kubeconfig: str
    queued: Sequence[Queued]

    @classmethod
    def read(cls) -> Self:
        """This process's own."""
        return cls.model_validate_json(os.environ[VARIABLE])


def order(queued: Queued, settings: Settings) -> Order:
    """What the scheduler's thread hands to the writer."""
    airflow = AirflowIdentity(
        dag_id="chaos", task_id=queued.name, run_id="chaos", map_index=-1, try_number=1
    )
    job = Job({"jobQueue": queued.queue, "jobDefinition": "simulated"})

    def draft(identity: Identity) -> Draft:
        task = batch_task(
            identity, job, namespace=settings.namespace, instance=settings.instance, priority=1
        )
        expires = datetime.now(UTC) + timedelta(days=1)
        return Draft(task, lambda: MintedWorkload(SecretStr('{"token": "chaos"}'), expires))

    return Order(Identity(queued.external_id, Queuing(queued.name), airflow), 1, draft)


def run(workloads: Workloads) -> None:
    """Write and cancel, each in its time, until the suite ends the process."""
    settings = Settings(
        namespace=workloads.namespace, in_cluster=False, config_file=workloads.kubeconfig
    )
    tasks = KubeBatchTasks(settings)
    writer = Writer(tasks, backoff=Backoff(first_seconds=0.05, most_seconds=0.5))
    writer.start()
    begun = time.time()
    to_write = [one for one in workloads.queued if (one.cancelled_at or begun) >= begun]
    to_cancel = [one for one in workloads.queued if one.cancelled_at is not None]
    while True:
        now = time.time()
        due = [one for one in to_write if one.at <= now]
        to_write = [one for one in to_write if one.at > now]
        writer.submit([order(one, settings) for one in due])
        for one in [one for one in to_cancel if (one.cancelled_at or 0) <= now]:
            to_cancel.remove(one)
            writer.cancel(task_name(one.external_id))
        for report in writer.drain():
            print(type(report).__name__, report.name, flush=True)  # noqa: T201 - its log
        time.sleep(_TICK)


def _end_with_the_suite() -> None:
    """Its end of the pipe closes however it ends."""
    sys.stdin.read()
    os._exit(3)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_suite, daemon=True).start()
    run(Workloads.read())
