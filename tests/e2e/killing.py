"""The scheduler is killed once, while a task stands in each phase of its life, and comes back."""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from batchtask_api import names
from batchtask_local.batch import Status
from batchtask_local.demo.progress import Show
from batchtask_local.demo.stage import Play, Stage, stage
from e2e.database import rows
from e2e.tasks import batchtasks, jobs_of
from e2e.waiting import eventually
from fakes.proxy import Proxy

DAGS = Path(__file__).with_name("gated")
_SECRETS = f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/secrets"
_OPTIONS = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    # The 30 s after which a scheduler counts as dead stay: with less, one that gets no CPU for a
    # while takes itself for dead.
}
_STEP_SECONDS = 120
_ADOPTION_SECONDS = 120
_END_SECONDS = 180

Body = dict[str, Any]


class Phase(StrEnum):
    """Where a task stands when the scheduler is killed. The value is its DAG run's id."""

    ACCEPTED = "accepted"
    """Airflow has committed that it is queued, and its BatchTask was not created."""
    WITHOUT_SECRET = "without-secret"
    """Its BatchTask was created, and its Secret was not."""
    CREATED = "created"
    """Its BatchTask is there, and no controller has seen it."""
    QUEUED = "queued"
    """Its job waits in Batch."""
    RUNNING = "running"
    FINISHED = "finished"
    """It ends, and its BatchTask says so, while no scheduler is there."""
    UNSEEN = "unseen"
    """It ends while no controller is there: the new scheduler finds a BatchTask that runs."""


@dataclass(frozen=True)
class Ended:
    """How a task ended whose scheduler was killed."""

    state: str
    tries: int
    tasks: int
    """How many BatchTasks there were of it."""
    jobs: int
    """How many jobs."""


class Link:
    """The executor's way to the API server, which can be cut."""

    def __init__(self, parts: contextlib.ExitStack) -> None:
        self._parts = parts
        self.proxy: Proxy

    def kubeconfig(self, given: Path) -> Path:
        """Make a kubeconfig that leads through the proxy."""
        content = yaml.safe_load(given.read_text())
        cluster = content["clusters"][0]["cluster"]
        host, _, port = cluster["server"].rpartition(":")
        self.proxy = self._parts.enter_context(Proxy(int(port)))
        cluster["server"] = f"{host}:{self.proxy.port}"
        linked = given.with_name(f"{given.name}.linked")
        linked.touch(mode=0o600)
        linked.write_text(yaml.safe_dump(content))
        return linked


@contextlib.contextmanager
def kill(home: Path) -> Iterator[Mapping[Phase, Ended]]:
    """Play it all, and give how each phase's task ended."""
    gates = home / "gates"
    gates.mkdir(parents=True)
    with contextlib.ExitStack() as parts:
        link = Link(parts)
        play = Play(
            dags=DAGS,
            dag_ids=frozenset({"gated", "gated_alone"}),
            options=_OPTIONS,
            shared={"GATES": str(gates)},
            vcpus=3,
            executor_kubeconfig=link.kubeconfig,
        )
        show = Show(Console(file=io.StringIO()))
        with stage("envtest", None, home / "stage", show, play) as running:
            scene = Scene(running, link, gates)
            scene.bring_each_to_its_phase()
            scene.kill_and_restart()
            scene.let_all_end()
            yield scene.ended()


class Scene:
    """What happens, in order."""

    def __init__(self, running: Stage, link: Link, gates: Path) -> None:
        self._airflow = running.airflow
        self._stage = running
        self._link = link
        self._gates = gates

    def bring_each_to_its_phase(self) -> None:
        """Start every run, and leave each task where it is to be when the scheduler dies."""
        running = (Phase.RUNNING, Phase.FINISHED, Phase.UNSEEN)
        for phase in running:
            self._start(phase)
        self._airflow.unpause()
        self._until(lambda: all(self._state(phase) == "running" for phase in running))
        self._until(lambda: all(self._phase(phase) == "Running" for phase in running))
        self._start(Phase.QUEUED)
        self._until(lambda: Status.RUNNABLE in self._statuses(Phase.QUEUED))
        self._until(lambda: self._phase(Phase.QUEUED) == "Runnable")
        self._stage.processes.kill("controller")
        created = (Phase.CREATED, Phase.WITHOUT_SECRET)
        for phase in created:
            self._start(phase)
        self._until(lambda: all(self._has_secret(phase) for phase in created))
        self._link.proxy.cut()
        self._start(Phase.ACCEPTED)
        self._until(lambda: self._state(Phase.ACCEPTED) == "queued")

    def kill_and_restart(self) -> None:
        """Kill the scheduler; let what can end without it end; start another."""
        processes = self._stage.processes
        processes.kill("scheduler")
        self._link.proxy.restore()
        for task in self._tasks(Phase.WITHOUT_SECRET):
            self._request(f"{_SECRETS}/{task['metadata']['name']}", "DELETE")
        self._stage.start_controller()
        self._open(Phase.FINISHED)
        self._until(lambda: self._phase(Phase.FINISHED) == "Succeeded")
        # A controller that dies while it submits leaves that task waiting for a quarter of an hour.
        self._until(lambda: self._phase(Phase.CREATED) not in {"Pending", "Submitting"})
        processes.kill("controller")
        self._open(Phase.UNSEEN)
        self._until(lambda: Status.SUCCEEDED in self._statuses(Phase.UNSEEN))
        self._stage.start_airflow("scheduler")

    def let_all_end(self) -> None:
        """Wait until the new scheduler has taken the tasks over, then let them run to their end."""
        eventually(self._is_all_adopted, _ADOPTION_SECONDS)
        self._stage.start_controller()
        for phase in Phase:
            self._open(phase)
        eventually(self._is_all_over, _END_SECONDS)

    def ended(self) -> Mapping[Phase, Ended]:
        """Look at how each phase's task ended."""
        return {phase: self._ended(phase) for phase in Phase}

    def _ended(self, phase: Phase) -> Ended:
        (instance,) = self._airflow.task_instances(_dag_of(phase), phase)
        return Ended(
            instance["state"] or "none",
            instance["try_number"],
            len(self._tasks(phase)),
            len(self._statuses(phase)),
        )

    def _start(self, phase: Phase) -> None:
        self._airflow.trigger(_dag_of(phase), run_id=phase)

    def _open(self, phase: Phase) -> None:
        (self._gates / phase).touch()

    def _until(self, condition: Callable[[], bool]) -> None:
        assert eventually(condition, _STEP_SECONDS), self._stage.cluster.table()

    def _state(self, phase: Phase) -> str:
        listed = self._airflow.task_instances(_dag_of(phase), phase)
        return str(listed[0]["state"]) if listed else "none"

    def _request(self, path: str, method: str = "GET") -> Body:
        server = self._stage.cluster.server
        assert server is not None
        found: Body = server.request(method, path)
        return found

    def _tasks(self, phase: Phase) -> Sequence[Body]:
        listed = batchtasks(self._stage)
        return [task for task in listed if task["spec"]["airflow"]["runId"] == phase]

    def _phase(self, phase: Phase) -> str:
        (task, *_) = self._tasks(phase) or [{}]
        return str(task.get("status", {}).get("phase", "Pending"))

    def _has_secret(self, phase: Phase) -> bool:
        secrets = {each["metadata"]["name"] for each in self._request(_SECRETS)["items"]}
        return any(task["metadata"]["name"] in secrets for task in self._tasks(phase))

    def _statuses(self, phase: Phase) -> Sequence[Status]:
        """Return those of all jobs that were ever made of the phase's tasks."""
        return [job.status for task in self._tasks(phase) for job in jobs_of(self._stage, task)]

    def _is_all_adopted(self) -> bool:
        """Tell whether every live task belongs to the newest scheduler; no API says so."""
        newest = rows(self._airflow, "SELECT max(id) FROM job WHERE job_type = 'SchedulerJob'")
        owners = rows(
            self._airflow,
            "SELECT DISTINCT queued_by_job_id FROM task_instance"
            " WHERE state IN ('queued', 'running')",
        )
        return owners == newest

    def _is_all_over(self) -> bool:
        runs = self._airflow.runs()
        return all(each["state"] in {"success", "failed"} for each in runs) and all(
            status.has_ended for phase in Phase for status in self._statuses(phase)
        )


def _dag_of(phase: Phase) -> str:
    return "gated_alone" if phase is Phase.QUEUED else "gated"
