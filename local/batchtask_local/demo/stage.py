"""The parts of the demonstration, started in order and stopped in the reverse of it."""

import contextlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from batchtask_api.names import DEFAULT_NAMESPACE
from batchtask_local.batch import LocalBatchConfig, LocalBatchHandle, Queue, running
from batchtask_local.demo.airflow import COMPONENTS, Airflow, AirflowError
from batchtask_local.demo.cluster import Api, Cluster, cluster
from batchtask_local.demo.expected import DAG_ID
from batchtask_local.demo.progress import Show
from batchtask_local.processes import ProcessGroup

DAGS = Path(__file__).with_name("dags")
QUEUE = "default"
DEFINITION = "airflow-worker"
SHELL_DEFINITION = "local-shell"
LOGGING_CONFIG = "batchtask_executor.logging_config.LOGGING_CONFIG"

_SECTION = "AIRFLOW__BATCHTASK_EXECUTOR__"
_READY_SECONDS = 180
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    cluster: Cluster
    batch: LocalBatchHandle
    airflow: Airflow
    home: Path


@contextlib.contextmanager
def stage(api: Api, context: str | None, home: Path, show: Show) -> Iterator[Stage]:
    """Start all parts; stop them all when the context ends, however it ends.

    Raises:
        ApiServerError, AirflowError: a part did not start; the text says which, and why.
    """
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    airflow_port, health_port = _free_port(), _free_port()
    with contextlib.ExitStack() as parts:
        airflow = Airflow(home / "airflow", airflow_port, DAGS, {})
        threads = parts.enter_context(ThreadPoolExecutor(1))
        migration = threads.submit(airflow.migrate)
        with show.phase(f"API server ({api})"):
            where = parts.enter_context(cluster(api, context, show.note))
        with show.phase("local Batch"):
            batch = parts.enter_context(running(_batch(home, airflow)))
        processes = parts.enter_context(ProcessGroup(home / "logs"))
        with show.phase("Airflow's database"):
            migration.result()
        with show.phase("controller, Airflow's api-server, scheduler and dag-processor"):
            airflow = Airflow(airflow.home, airflow.port, DAGS, _options(where), airflow.jwt_secret)
            parts.callback(processes.terminate, _STOP_SECONDS)
            parts.callback(where.clear)
            _start(processes, where, batch, airflow, health_port)
            _await(airflow.is_healthy, processes, "Airflow")
            _await(lambda: airflow.knows(DAG_ID), processes, "Airflow's dag-processor")
        yield Stage(where, batch, airflow, home)
        show.say("stopping what was started")


def _batch(home: Path, airflow: Airflow) -> LocalBatchConfig:
    return LocalBatchConfig(
        directory=home / "batch",
        queues=[Queue(QUEUE, vcpus=8)],
        job_definitions=[_definition(DEFINITION), _definition(SHELL_DEFINITION)],
        environment=airflow.job_environment(),
    )


def _definition(name: str) -> dict[str, object]:
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1024"}]
    container = {"image": "local/process", "resourceRequirements": resources}
    return {"jobDefinitionName": name, "type": "container", "containerProperties": container}


def _options(where: Cluster) -> dict[str, str]:
    return {
        f"{_SECTION}IN_CLUSTER": "False",
        f"{_SECTION}CONFIG_FILE": str(where.executor),
        f"{_SECTION}NAMESPACE": DEFAULT_NAMESPACE,
        f"{_SECTION}JOB_QUEUE": QUEUE,
        f"{_SECTION}JOB_DEFINITION": DEFINITION,
    }


def _only_for(component: str, where: Cluster) -> Mapping[str, str]:
    """What one of Airflow's components has beside the options of all: its own rights, its view."""
    if component != "api-server":
        return {}
    return {
        f"{_SECTION}CONFIG_FILE": str(where.reader),
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": LOGGING_CONFIG,
    }


def _start(
    processes: ProcessGroup,
    where: Cluster,
    batch: LocalBatchHandle,
    airflow: Airflow,
    health_port: int,
) -> None:
    controller = _controller_environment(where, batch, health_port)
    processes.start("controller", [sys.executable, "-m", "batchtask_controller"], controller)
    for name, words in COMPONENTS.items():
        environment = {**airflow.environment(), **_only_for(name, where)}
        processes.start(name, airflow.command(*words), environment)


def _controller_environment(
    where: Cluster, batch: LocalBatchHandle, health_port: int
) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "KUBECONFIG": str(where.controller),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "BATCHTASK_AWS_REGION": "us-east-1",
        "BATCHTASK_AWS_ENDPOINT_URL": batch.url,
        "BATCHTASK_POLL_INTERVAL_SECONDS": "0.5",
        "BATCHTASK_HEALTH_HOST": "127.0.0.1",
        "BATCHTASK_HEALTH_PORT": str(health_port),
        "BATCHTASK_LOG_FORMAT": "text",
    }


def _await(condition: Callable[[], bool], processes: ProcessGroup, who: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not condition():
        processes.check()
        if time.monotonic() > deadline:
            raise AirflowError(
                f"{who} was not ready within {_READY_SECONDS} s; see {processes.log('scheduler')}"
            )
        time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
