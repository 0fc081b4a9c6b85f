"""Task instances as Airflow's log readers are asked about them, and the BatchTasks behind them."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batchtask_api import AirflowIdentity, Phase
from batchtask_executor.cluster.manifest import Identity, batch_task
from batchtask_executor.config import DEFAULT_LOG_GROUP
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing
from batchtask_executor.view.links import LogStream
from fakes.tasks import FakeBatchTasks

REGION = "us-east-1"
ARN = f"arn:aws:batch:{REGION}:123456789012:job/job-1"
STREAM = LogStream(DEFAULT_LOG_GROUP, "worker/default/1", REGION)
"""Where its job writes to, whose definition says nothing of it."""


@dataclass
class Ti:
    """As much of Airflow's TaskInstance as names it."""

    dag_id: str = "etl"
    task_id: str = "load"
    run_id: str = "r1"
    map_index: int = -1


def create(cluster: FakeBatchTasks, *, try_number: int = 1, **status: Any) -> str:
    """A task of the task instance, as the executor makes it, with what came of it."""
    airflow = AirflowIdentity(dag_id="etl", task_id="load", run_id="r1", try_number=try_number)
    identity = Identity(str(uuid.uuid4()), Queuing("q"), airflow)
    task = batch_task(
        identity, Job({}), namespace=cluster.namespace, instance=cluster.instance, priority=0
    )
    cluster.create(task)
    cluster.set_status(task.metadata.name, **status)
    return task.metadata.name


def ran(**more: Any) -> dict[str, Any]:
    return {
        "phase": Phase.RUNNING,
        "job_id": "job-1",
        "job_arn": ARN,
        "log_stream_name": STREAM.name,
        "started_at": datetime(2026, 1, 15, 12, 30, tzinfo=UTC),
        **more,
    }
