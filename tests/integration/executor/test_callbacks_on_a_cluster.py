"""A callback's objects, as an API server takes them: they have no task instance in them."""

import json

import pytest

from batchtask_api import Phase, names
from fakes.airflow import execute_callback
from fakes.clusters import ServedCluster
from integration.executor.conftest import StartExecutor

pytestmark = pytest.mark.integration

ID = "4d828a62-a417-4936-a7a6-2b3fabacecab"
NAME = f"bt-cb-{ID}"


def test_a_callback_goes_all_the_way(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    workload = execute_callback(ID, dag_id="etl")
    executor.queue_workload(workload, None)  # type: ignore[arg-type]
    executor.loop_until(lambda: cluster.workload(NAME))
    task = cluster.read(NAME)
    secret = cluster.workload(NAME)
    assert task.spec.airflow is None
    assert task.metadata.labels[names.LABEL_WORKLOAD] == "callback"
    assert secret is not None
    assert secret.owner_uid == task.metadata.uid
    assert json.loads(secret.content)["callback"]["id"] == ID

    cluster.set_status(NAME, phase=Phase.FAILED, job_id="1a2b", exit_code=1)

    state, info = executor.loop_until_event(workload.key)
    assert (state, "exit code 1" in info) == ("failed", True)


def test_the_next_scheduler_finds_its_end(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    workload = execute_callback(ID)
    executor.rows.callbacks[ID] = "queued"
    executor.queue_workload(workload, None)  # type: ignore[arg-type]
    executor.loop_until(lambda: cluster.workload(NAME))
    executor.end()

    heir = start(cluster, rows=executor.rows)
    cluster.set_status(NAME, phase=Phase.SUCCEEDED, job_id="1a2b")

    assert heir.loop_until_event(workload.key)[0] == "success"
