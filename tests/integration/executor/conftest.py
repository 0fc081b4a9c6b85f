"""The executor itself, by its own configuration, on an API server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batchtask_local.apiserver import ApiServer
from fakes.airflow import HOME  # noqa: F401 - before anything of Airflow's
from fakes.clusters import ServedCluster
from fakes.executors import ConfiguredExecutor, options
from fakes.rows import FakeRows

if not hasattr(ConfiguredExecutor, "run_workload"):  # Airflow 3.2 runs no callbacks in jobs
    collect_ignore = ["test_callbacks_on_a_cluster.py"]

StartExecutor = Callable[..., ConfiguredExecutor]


@pytest.fixture
def cluster(apiserver: ApiServer, namespace: str) -> Iterator[ServedCluster]:
    """A namespace on each of the API servers."""
    found = ServedCluster(apiserver, namespace)
    yield found
    found.tasks.close()


@pytest.fixture
def real_cluster(envtest_server: ApiServer, namespace: str) -> Iterator[ServedCluster]:
    """A namespace on the real API server, which has RBAC, CEL and admission."""
    found = ServedCluster(envtest_server, namespace)
    yield found
    found.tasks.close()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartExecutor]:
    """Start an Airflow's executor, configured for a cluster; `of` goes over its options."""
    started: list[ConfiguredExecutor] = []

    def start(
        cluster: ServedCluster,
        *,
        rows: FakeRows | None = None,
        airflow: str = ConfiguredExecutor.airflow,
        **of: Any,
    ) -> ConfiguredExecutor:
        values: dict[str, Any] = {
            "namespace": cluster.namespace,
            "in_cluster": "False",
            "config_file": str(cluster.server.kubeconfig),
            "job_queue": "analytics",
            "job_definition": "worker:7",
        }
        for name, value in options(**(values | of)).items():
            monkeypatch.setenv(name, value)
        executor = ConfiguredExecutor(rows=rows, parallelism=5000)
        executor.airflow = airflow
        started.append(executor)
        executor.start()
        return executor

    yield start
    for executor in started:
        executor.end()
        executor.wait_for_the_end()
