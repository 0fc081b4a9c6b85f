"""Local Batch and moto as servers of one suite, and clients of them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from types_boto3_batch import BatchClient
from types_boto3_logs import CloudWatchLogsClient

from batchtask_local.batch import Faults, LocalBatchConfig, LocalBatchHandle, Queue, StateTimes
from batchtask_local.batch import running as run_local_batch
from contract.local_batch.support import (
    TIME_SCALE,
    Jobs,
    a_session,
    batch_client,
    logs_client,
    make_definition,
)

TIMES = StateTimes(submitted=0.25, pending=0.25, starting=0.5)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    config = LocalBatchConfig(
        directory=tmp_path_factory.mktemp("local-batch"),
        queues=[Queue("main", vcpus=16)],
        environment={"GREETING": "hello"},
        time_scale=TIME_SCALE,
        times=TIMES,
        instance_memory_mib=65_536,
    )
    with run_local_batch(config) as handle:
        make_definition(batch_client(handle.url), "busybox")
        yield handle


@pytest.fixture
def batch(server: LocalBatchHandle) -> Iterator[LocalBatchHandle]:
    """Local Batch, whose faults are gone again afterwards."""
    yield server
    server.set_faults(Faults())


@pytest.fixture(scope="session")
def _session_client(server: LocalBatchHandle) -> BatchClient:
    return batch_client(server.url)


@pytest.fixture
def client(batch: LocalBatchHandle, _session_client: BatchClient) -> BatchClient:
    return _session_client


@pytest.fixture(scope="session")
def _session_logs(server: LocalBatchHandle) -> CloudWatchLogsClient:
    return logs_client(server.url)


@pytest.fixture
def logs(batch: LocalBatchHandle, _session_logs: CloudWatchLogsClient) -> CloudWatchLogsClient:
    return _session_logs


@pytest.fixture
def jobs(client: BatchClient) -> Jobs:
    return Jobs(client, "main", "busybox")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, for queues, definitions and jobs."""
    return re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[-100:].strip("-")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `backend` over both, but for what a module's table says moto can't do."""
    if "backend" in metafunc.fixturenames:
        cannot: dict[str, str] = metafunc.module.MOTO_CANNOT
        backends = ["local"] if metafunc.function.__name__ in cannot else ["local", "moto"]
        metafunc.parametrize("backend", backends, indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest, name: str) -> Iterator[Jobs]:
    """A Batch with an empty queue and a definition `busybox`, both of the test's own."""
    if request.param == "local":
        client = request.getfixturevalue("client")
        yield from _with_queue(client, name, {})
        return
    with mock_aws(config={"batch": {"use_docker": False}}):
        session = a_session()  # moto's hooks are in sessions that are made once it is loaded
        iam: Any = session.client("iam")
        role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = session.client("batch")
        yield from _with_queue(client, name, {"serviceRole": role})


def _with_queue(client: BatchClient, name: str, more: dict[str, Any]) -> Iterator[Jobs]:
    client.create_compute_environment(
        computeEnvironmentName=name, type="UNMANAGED", state="ENABLED", unmanagedvCpus=8, **more
    )
    client.create_job_queue(
        jobQueueName=name,
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}],
    )
    make_definition(client, name)
    yield Jobs(client, name, name)
