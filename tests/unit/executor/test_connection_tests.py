"""Connection tests in jobs: an option, for they have 90 seconds and a job may wait for longer."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from airflow.executors.workloads import TestConnection as ConnectionTest
from airflow.models.connection_test import ConnectionTestKey

from batchtask_api import Phase, names
from fakes.airflow_bases import ExecutorOn34
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks

ID = "4d828a62-a417-4936-a7a6-2b3fabacecab"
NAME = f"bt-ct-{ID}"
KEY = ConnectionTestKey(ID)


def connection_test(**of: Any) -> Any:
    return ConnectionTest(
        connection_test_id=uuid.UUID(ID), connection_id="db", timeout=60, token="t", **of
    )


@pytest.fixture(params=[ExecutorOver, ExecutorOn34])
def executor(
    request: pytest.FixtureRequest, configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> Iterator[ExecutorOver]:
    for name, value in options(connection_tests="True").items():
        configured.setenv(name, value)
    executor: ExecutorOver = request.param(cluster)
    executor.start()
    yield executor
    executor.end()
    executor.wait_for_the_end()


def written(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> None:
    executor.queue_workload(connection_test(**of), None)  # type: ignore[arg-type]
    executor.loop_until(lambda: NAME in cluster.secrets)


def test_it_becomes_a_task_named_by_its_id(executor: ExecutorOver, cluster: FakeBatchTasks) -> None:
    written(executor, cluster)

    task = cluster.objects[NAME]
    assert task.spec.job == {"jobQueue": "analytics", "jobDefinition": "worker:7"}
    assert task.metadata.labels[names.LABEL_WORKLOAD] == "connection-test"
    content = json.loads(cluster.secrets[NAME].content.get_secret_value())
    claims = jwt.decode(content["token"], options={"verify_signature": False})
    assert (claims["sub"], content["type"]) == (ID, "TestConnection")
    assert KEY in executor.running


def test_its_jobs_end_frees_the_slot(configured: pytest.MonkeyPatch) -> None:
    configured.setenv(*next(iter(options(connection_tests="True").items())))
    cluster = FakeBatchTasks()
    executor = ExecutorOver(cluster)
    executor.start()
    written(executor, cluster)

    cluster.set_status(NAME, phase=Phase.SUCCEEDED)

    assert executor.loop_until_event(KEY)[0] == "success"
    assert not executor.running
    executor.end()
    executor.wait_for_the_end()


def test_one_that_airflow_has_given_up_is_cancelled(
    configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> None:
    configured.setenv(*next(iter(options(connection_tests="True").items())))
    executor = ExecutorOver(cluster)
    executor.start()
    written(executor, cluster)

    executor.fail_connection_test(KEY)

    executor.loop_until(lambda: cluster.objects[NAME].spec.cancel)
    executor.end()
    executor.wait_for_the_end()


def test_it_is_off_by_default(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> None:
    executor = ExecutorOver(cluster)
    executor.start()
    assert not executor.supports_connection_test

    executor.queue_workload(connection_test(), None)  # type: ignore[arg-type]

    state, info = executor.loop()[KEY]
    assert (state, "[batchtask_executor] connection_tests" in info) == ("failed", True)
    assert not cluster.objects
    executor.end()
    executor.wait_for_the_end()
