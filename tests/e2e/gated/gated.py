"""Tasks that run until the file of their run's name is there."""

import os
import time
from pathlib import Path

from airflow.sdk import dag, get_current_context, task

ALL_OF_THE_QUEUE = {
    "containerOverrides": {
        "resourceRequirements": [
            {"type": "VCPU", "value": "3"},
            {"type": "MEMORY", "value": "1024"},
        ]
    }
}


def wait() -> None:
    """Return once the gate of this run is open."""
    run_id = get_current_context()["dag_run"].run_id
    while not (Path(os.environ["GATES"]) / run_id).exists():
        time.sleep(0.2)


@dag(schedule=None, catchup=False)
def gated() -> None:
    """Wait on one of the queue's three CPUs."""
    task(wait)()


@dag(schedule=None, catchup=False)
def gated_alone() -> None:
    """Wait on all of them, so that the job's turn comes when no other runs."""
    task(executor_config=ALL_OF_THE_QUEUE)(wait)()


gated()
gated_alone()
