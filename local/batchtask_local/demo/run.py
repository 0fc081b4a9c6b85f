"""One run of the example DAG, followed to its end."""

import time

from batchtask_api import FINISHED
from batchtask_local.demo.expected import DAG_ID
from batchtask_local.demo.progress import Show
from batchtask_local.demo.stage import Stage

_RUN_SECONDS = 300
_SETTLE_SECONDS = 30
_POLL_SECONDS = 0.5


def follow(running: Stage, show: Show) -> tuple[str, str]:
    """Start a run and show it until it ends; return its id and its state."""
    airflow = running.airflow
    run_id = airflow.trigger(DAG_ID)
    airflow.unpause()
    deadline = time.monotonic() + _RUN_SECONDS
    with show.tasks() as tasks:
        while (state := airflow.run_state(DAG_ID, run_id)) not in {"success", "failed"}:
            tasks.update(airflow.task_instances(DAG_ID, run_id))
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
    return run_id, state


def settle(running: Stage) -> None:
    """Wait for the jobs: a task tells Airflow of its end before its process ends."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        rows = running.cluster.table().splitlines()[1:]
        if all(any(f" {phase} " in row for phase in FINISHED) for row in rows):
            return
        time.sleep(_POLL_SECONDS)
