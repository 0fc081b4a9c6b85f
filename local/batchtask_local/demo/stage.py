"""The parts of the demonstration, started in order and stopped in the reverse of it."""

import contextlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from batchtask_api.names import DEFAULT_NAMESPACE
from batchtask_local.batch import LocalBatchConfig, LocalBatchHandle, Queue, running
from batchtask_local.demo.airflow import COMPONENTS, EXECUTOR, Airflow, AirflowError
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
_SECTION_OF_TEAM = "AIRFLOW__{team}___BATCHTASK_EXECUTOR__"
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Play:
    """What is put on the stage: DAGs, and the Airflow that runs them."""

    dags: Path = DAGS
    dag_ids: frozenset[str] = frozenset({DAG_ID})
    """The stage is ready once these are parsed."""
    executor: str = EXECUTOR
    components: Mapping[str, Sequence[str]] = field(default_factory=lambda: COMPONENTS)
    options: Mapping[str, str] = field(default_factory=dict)
    """Variables of Airflow's components."""
    shared: Mapping[str, str] = field(default_factory=dict)
    """Variables of Airflow's components and of the jobs."""
    teams: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Airflow's teams; what the executor's section of each has beside what all need, or instead."""
    vcpus: int = 8
    """So many jobs run at a time."""
    executor_kubeconfig: Callable[[Path], Path] = lambda given: given
    """Makes, of the executor's way to the API server, another."""
    ready_seconds: float = 180


@dataclass(frozen=True)
class Stage:
    """Everything that runs."""

    cluster: Cluster
    batch: LocalBatchHandle
    airflow: Airflow
    home: Path
    processes: ProcessGroup
    play: Play
    health_port: int

    def start_controller(self) -> None:
        """Start the controller: the first, or another after its death."""
        environment = _controller_environment(self.cluster, self.batch, self.health_port)
        command = [sys.executable, "-m", "batchtask_controller"]
        self.processes.start("controller", command, environment)

    def start_airflow(self, component: str) -> None:
        """Start a component of Airflow's: the first, or another after its death."""
        command = self.airflow.command(*self.play.components[component])
        environment = {**self.airflow.environment(), **_only_for(component, self.cluster)}
        self.processes.start(component, command, environment)


@contextlib.contextmanager
def stage(
    api: Api, context: str | None, home: Path, show: Show, play: Play | None = None
) -> Iterator[Stage]:
    """Start all parts; stop them all when the context ends, however it ends.

    Without a play it is the demonstration's.

    Raises:
        ApiServerError, AirflowError: a part did not start; the text says which, and why.
    """
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    play = play or Play()
    airflow_port, health_port = _free_port(), _free_port()
    with contextlib.ExitStack() as parts:
        airflow = Airflow(
            home / "airflow", airflow_port, play.dags, play.options, play.executor, play.shared
        )
        threads = parts.enter_context(ThreadPoolExecutor(1))
        migration = threads.submit(_make_database, airflow, play)
        with show.phase(f"API server ({api})"):
            where = parts.enter_context(cluster(api, context, show.note))
        with show.phase("local Batch"):
            batch = parts.enter_context(running(_batch(home, airflow, play.vcpus)))
        processes = parts.enter_context(ProcessGroup(home / "logs"))
        with show.phase("Airflow's database"):
            migration.result()
        with show.phase(f"controller, Airflow's {', '.join(play.components)}"):
            kubeconfig = play.executor_kubeconfig(where.executor)
            airflow = replace(airflow, options={**_options(kubeconfig, play), **play.options})
            parts.callback(processes.terminate, _STOP_SECONDS)
            parts.callback(where.clear)
            started = Stage(where, batch, airflow, home, processes, play, health_port)
            started.start_controller()
            for component in play.components:
                started.start_airflow(component)
            _await(started, airflow.is_healthy, "Airflow")
            _await(started, lambda: _knows_all(started), "Airflow's dag-processor")
        yield started
        show.say("stopping what was started")


def _batch(home: Path, airflow: Airflow, vcpus: int) -> LocalBatchConfig:
    return LocalBatchConfig(
        directory=home / "batch",
        queues=[Queue(QUEUE, vcpus=vcpus)],
        job_definitions=[_definition(DEFINITION), _definition(SHELL_DEFINITION)],
        environment=airflow.job_environment(),
    )


def _definition(name: str) -> dict[str, object]:
    resources = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1024"}]
    container = {"image": "local/process", "resourceRequirements": resources}
    return {"jobDefinitionName": name, "type": "container", "containerProperties": container}


def _make_database(airflow: Airflow, play: Play) -> None:
    airflow.migrate()
    for team in play.teams:
        airflow.create_team(team)


def _options(kubeconfig: Path, play: Play) -> dict[str, str]:
    """The executor's options: a team's executor looks at those of its team alone."""
    section = {
        "IN_CLUSTER": "False",
        "CONFIG_FILE": str(kubeconfig),
        "NAMESPACE": DEFAULT_NAMESPACE,
        "JOB_QUEUE": QUEUE,
        "JOB_DEFINITION": DEFINITION,
    }
    options = {f"{_SECTION}{name}": value for name, value in section.items()}
    for team, own in play.teams.items():
        of_team = _SECTION_OF_TEAM.format(team=team.upper())
        options |= {f"{of_team}{name}": value for name, value in {**section, **own}.items()}
    return options


def _only_for(component: str, where: Cluster) -> Mapping[str, str]:
    """What one of Airflow's components has beside the options of all: its own rights, its view."""
    if component != "api-server":
        return {}
    return {
        f"{_SECTION}CONFIG_FILE": str(where.reader),
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": LOGGING_CONFIG,
    }


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


def _knows_all(started: Stage) -> bool:
    """Whether every DAG was parsed; an AirflowError where one can't be."""
    try:
        known, errors = started.airflow.dag_ids(), started.airflow.import_errors()
    except AirflowError:
        return False  # it is busy
    for file, why in errors.items():
        raise AirflowError(f"{file} can't be used: {why.strip()[-500:]}")
    return known >= started.play.dag_ids


def _await(started: Stage, condition: Callable[[], bool], who: str) -> None:
    within = started.play.ready_seconds
    deadline = time.monotonic() + within
    while not condition():
        started.processes.check()
        if time.monotonic() > deadline:
            logs = started.home / "logs"
            raise AirflowError(f"{who} was not ready within {within:.0f} s; see {logs}")
        time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
