"""One cluster with a node a session; local Batch and a clean namespace for each test."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batchtask_api import rbac
from batchtask_local.apiserver import envtest
from batchtask_local.batch import LocalBatchConfig, LocalBatchHandle, Queue, running
from integration.faults.world import DEFINITION
from integration.helm.cluster import Cluster
from integration.helm.kubelet import Kubelet


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server that schedules pods, a node that runs them, and Airflow's accounts."""
    home: Path = tmp_path_factory.mktemp("helm")
    with envtest(directory=home, schedules=True, audits=True) as server:
        server.create_namespace(rbac.AIRFLOW_NAMESPACE)
        for account in (rbac.AIRFLOW_SCHEDULER, rbac.AIRFLOW_API_SERVER):
            server.request(
                "POST",
                f"/api/v1/namespaces/{account.namespace}/serviceaccounts",
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account.name}},
            )
        with Kubelet(server, home / "pods") as kubelet:
            yield Cluster(server, kubelet, home)


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, without a release."""
    yield replace(shared_cluster, audited_from=shared_cluster.audit_log.stat().st_size)
    print(f"\n--- pods\n{shared_cluster.kubelet.logs()[-6000:]}")  # noqa: T201 - of a failed test
    shared_cluster.clear()


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[LocalBatchHandle]:
    """Local Batch with one queue; its jobs are timers."""
    queues = (Queue("default", 10_000),)
    config = LocalBatchConfig(tmp_path / "batch", queues=queues, job_definitions=[DEFINITION])
    with running(config) as handle:
        yield handle
