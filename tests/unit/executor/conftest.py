"""An executor of Airflow's own classes over a stand-in for the cluster."""

from collections.abc import Iterator

import pytest

from fakes.airflow import HOME  # noqa: F401 - before anything of Airflow's

from airflow.executors.base_executor import BaseExecutor  # isort: skip
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks

if not hasattr(BaseExecutor, "run_workload"):  # Airflow 3.2 runs nothing but task instances in jobs
    collect_ignore = ["test_callbacks.py", "test_connection_tests.py"]


@pytest.fixture
def cluster() -> FakeBatchTasks:
    return FakeBatchTasks()


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in options(job_queue="analytics", job_definition="worker:7").items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def heir(executor: ExecutorOver, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    """The next scheduler's executor; `take_over` starts it."""
    heir = ExecutorOver(cluster, rows=executor.rows, parallelism=10)
    heir.job_id = 2
    yield heir
    heir.end()
    heir.wait_for_the_end()


@pytest.fixture
def executor(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    del configured
    executor = ExecutorOver(cluster, parallelism=5000)
    executor.start()
    yield executor
    executor.end()
    executor.wait_for_the_end()
