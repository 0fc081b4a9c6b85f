"""The real API server with our rights, local Batch, and ground to start controllers on."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer
from batchtask_local.batch import Faults, LocalBatchHandle
from integration.api.cluster import Tasks
from integration.controller.support import (
    ACCOUNT,
    SYSTEM,
    Controller,
    Ground,
    apply_manifests,
    local_batch,
)


@pytest.fixture(scope="session")
def granted(envtest_server: ApiServer) -> ApiServer:
    apply_manifests(envtest_server)
    return envtest_server


@pytest.fixture(scope="session")
def kubeconfig(granted: ApiServer) -> Path:
    """The login of the controller's own account."""
    return granted.kubeconfig_for_service_account(SYSTEM, ACCOUNT)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    with local_batch(tmp_path_factory.mktemp("batch")) as server:
        yield server


@pytest.fixture
def batch(served: LocalBatchHandle) -> Iterator[LocalBatchHandle]:
    """Local Batch, without faults at the beginning and the end."""
    yield served
    served.set_faults(Faults())


@pytest.fixture
def tasks(granted: ApiServer, namespace: str, envtest_server: ApiServer) -> Tasks:
    """The tasks of a namespace of the test's own."""
    return Tasks(granted, namespace)


@pytest.fixture
def ground(
    tmp_path: Path, kubeconfig: Path, batch: LocalBatchHandle, tasks: Tasks
) -> Iterator[Ground]:
    """For tests that start their own controllers."""
    made = Ground(tmp_path, kubeconfig, batch.url, [tasks.namespace], tasks.namespace)
    yield made
    made.end()


SHARED = "airflow-tasks"


@pytest.fixture(scope="session")
def controller(
    tmp_path_factory: pytest.TempPathFactory, kubeconfig: Path, served: LocalBatchHandle
) -> Iterator[Controller]:
    """One controller for all tests that only need some controller to be there."""
    lease = f"shared-{uuid.uuid4().hex[:8]}"
    made = Ground(tmp_path_factory.mktemp("shared"), kubeconfig, served.url, [SHARED], lease)
    started = made.start()
    started.says("took over")
    yield started
    made.end()


@pytest.fixture
def shared(granted: ApiServer, controller: Controller) -> Tasks:
    """The tasks that the shared controller serves."""
    return Tasks(granted, SHARED)


@pytest.fixture
def name() -> str:
    """A task's name that no other test has."""
    return f"bt-{uuid.uuid4()}"
