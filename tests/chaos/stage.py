"""One run: a namespace, a local Batch and two controllers, from the first task to the audit."""

import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchtask_api import names
from batchtask_controller.timings import Timings
from batchtask_local.apiserver import ApiServer, RequestRefusedError
from batchtask_local.batch import (
    SIMULATED_IMAGE,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    running,
)
from batchtask_local.batch.faults import Faults
from chaos.audit import Audit, Made, audit, is_over
from chaos.crew import Controller, State, environment
from chaos.orders import SCALE, Orders
from chaos.scenario import Blow, PlannedTask, Role, Scenario, Signal

START_SECONDS = 60.0
END_SECONDS = 150.0
"""By when everything must be over, counted from the last thing that was done to it."""

_TICK = 0.03
_LOOK = 0.4
_QUIET = 1.0
_MERGE = "application/merge-patch+json"
_DEFINITION = {
    "jobDefinitionName": "simulated",
    "type": "container",
    "containerProperties": {
        "image": SIMULATED_IMAGE,
        "resourceRequirements": [
            {"type": "VCPU", "value": "1"},
            {"type": "MEMORY", "value": "128"},
        ],
    },
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    scenario: Scenario
    audit: Audit
    unfinished: Sequence[str]
    """What was not at its end in time."""
    kills: int
    stops: int
    falls: int
    """How many of those were at points."""
    faults: int
    submits: int
    unknown: int
    """Submissions answered with a spoiled reply or a 5xx."""
    look_ups: int
    seconds: float
    story: Sequence[str]
    """What was done when, in seconds from the start of it all."""


@dataclass(frozen=True, slots=True)
class Creation:
    """A task is to be created."""

    task: PlannedTask


@dataclass(frozen=True, slots=True)
class End:
    """What its plan says is to be done to a task."""

    task: PlannedTask


Deed = Creation | End | Blow | Faults


@dataclass(slots=True)
class _Hand:
    """When what fell is to be raised."""

    raise_at: float | None = None
    frozen_at: float | None = None


class Stage:
    """A run under way."""

    def __init__(
        self,
        scenario: Scenario,
        server: ApiServer,
        namespace: str,
        batch: LocalBatchHandle,
        controllers: Sequence[Controller],
    ) -> None:
        self._scenario = scenario
        self._server = server
        self._path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.batch = batch
        self.controllers = controllers
        self._hands = {one.name: _Hand() for one in controllers}
        self._draw = random.Random(scenario.seed)
        self._later = list(scenario.later)
        self._made: list[Made] = []
        self._tasks: list[dict[str, Any]] = []
        self._kills = self._stops = 0
        self._story: list[str] = []
        self._begun = time.monotonic()

    def play(self) -> Result:
        """Do it all."""
        self.open()
        self._begun = time.monotonic()
        deeds = self._deeds()
        over_by = deeds[-1][0] + END_SECONDS
        next_look = quiet_since = 0.0
        calls = -1
        while self._now() < over_by:
            while deeds and deeds[0][0] <= self._now():
                self._do(deeds.pop(0)[1])
            is_whole = self._see_to_controllers()
            if self._now() >= next_look:
                self._look()
                next_look = self._now() + _LOOK
            heard = len(self.batch.journal("SubmitJob")) + len(self.batch.journal("ListJobs"))
            if heard != calls or deeds or not is_whole or self._unfinished():
                calls, quiet_since = heard, self._now()
            elif self._now() - quiet_since > _QUIET:
                break
            time.sleep(_TICK)
        return self._result()

    def _now(self) -> float:
        return time.monotonic() - self._begun

    def _tell(self, words: str) -> None:
        self._story.append(f"{self._now():7.2f} {words}")

    # The opening

    def open(self) -> None:
        """Start the controllers; the first one leads."""
        first, second = self.controllers
        first.start(self._mutated(self._scenario.first))
        self._await(first, lambda: self._holder(first) is first)
        second.start(self._mutated(self._scenario.second))
        words = "this process leads" if self._scenario.has_two_leaders else "standing by"
        self._await(second, lambda: second.said(words))

    def _await(self, controller: Controller, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline or controller.state() is State.DEAD:
                raise AssertionError(f"it did not come up:\n{controller.last_words()}")
            time.sleep(_TICK)

    def _mutated(self, orders: Orders) -> Orders:
        return orders.model_copy(update={"mutant": self._scenario.mutant})

    # What is done to it

    def _deeds(self) -> list[tuple[float, Deed]]:
        scenario = self._scenario
        deeds: list[tuple[float, Deed]] = [*scenario.weather]
        deeds += [(blow.at, blow) for blow in scenario.blows]
        deeds += [(task.at, Creation(task)) for task in scenario.tasks]
        ends = [task for task in scenario.tasks if task.fate != "runs"]
        deeds += [(task.fate_at, End(task)) for task in ends]
        return sorted(deeds, key=lambda deed: deed[0])

    def _do(self, deed: Deed) -> None:
        match deed:
            case Faults():
                self.batch.set_faults(deed)
            case Blow():
                self._strike(deed.role, deed.signal)
            case Creation():
                self.create(deed.task)
            case End():
                self._end(deed.task)

    def create(self, task: PlannedTask) -> None:
        """Create a task."""
        finalizers = [names.FINALIZER] if task.has_finalizer else []
        words = ["sleep", str(round(task.seconds)), "exit", str(task.exit_code)]
        spec: dict[str, Any] = {
            "job": {
                "jobQueue": task.queue,
                "jobDefinition": "simulated",
                "containerOverrides": {"command": words},
            },
            "ttlSecondsAfterFinished": 3600,
        }
        if task.fate == "retained":
            spec["deletionPolicy"] = "Retain"
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": task.name, "finalizers": finalizers},
            "spec": spec,
        }
        answer = self._server.request("POST", f"{self._path}?fieldValidation=Strict", body)
        self._made.append(Made(answer["metadata"]["uid"], task.name, task.fate))

    def _end(self, task: PlannedTask) -> None:
        path = f"{self._path}/{task.name}"
        if task.fate == "cancelled":
            body = {"spec": {"cancel": True}}
            self._server.request("PATCH", path, body, content_type=_MERGE)
        else:
            with contextlib.suppress(RequestRefusedError):  # it is gone already
                self._server.request("DELETE", path)

    def _strike(self, role: Role, name: Signal) -> None:
        leader = self._holder(self.controllers[0])
        struck = [one for one in self.controllers if (one is leader) == (role == "leader")]
        if struck and struck[0].state() is State.RUNS:
            self._tell(f"{role} {struck[0].identity} gets {name}")
            struck[0].send(name)

    # The controllers

    def _holder(self, asking: Controller) -> Controller | None:
        """Who holds the Lease (its own, where there are two)."""
        lease = lease_name(self._scenario, asking.name)
        try:
            spec = self._server.request("GET", f"{self._leases}/{lease}")["spec"]
        except RequestRefusedError:
            return None
        holder = str(spec.get("holderIdentity") or "").partition("_")[0]
        return next((one for one in self.controllers if one.identity == holder), None)

    def _see_to_controllers(self) -> bool:
        """Raise what fell, in its time; whether all run."""
        states = [one.state() for one in self.controllers]
        for controller, state in zip(self.controllers, states, strict=True):
            if state is State.DEAD:
                self._see_to_dead(controller)
            elif state is State.FROZEN:
                self._see_to_frozen(controller)
        return all(state is State.RUNS for state in states)

    def _see_to_dead(self, controller: Controller) -> None:
        hand = self._hands[controller.name]
        if hand.raise_at is None:
            self._kills += 1
            self._tell(f"{controller.identity} is dead")
            hand.raise_at = self._now() + self._draw.uniform(0.1, 1.5)
            hand.frozen_at = None
        elif self._now() >= hand.raise_at:
            hand.raise_at = None
            controller.start(self._mutated(self._later.pop(0) if self._later else Orders()))
            self._tell(f"{controller.identity} was started")

    def _see_to_frozen(self, controller: Controller) -> None:
        hand, now = self._hands[controller.name], self._now()
        if hand.frozen_at is None:
            self._stops += 1
            self._tell(f"{controller.identity} is frozen")
            hand.frozen_at = now
        elif hand.raise_at is None:
            if self._is_passed_by(controller, now - hand.frozen_at):
                hand.raise_at = now + self._draw.uniform(0, 1)
        elif now >= hand.raise_at:
            self._tell(f"{controller.identity} goes on")
            hand.frozen_at = hand.raise_at = None
            controller.send("CONT")

    def _is_passed_by(self, controller: Controller, seconds: float) -> bool:
        """Whether others have gone on without a frozen process for long enough."""
        timings = Timings().scaled(SCALE)
        if self._scenario.outlasts_signature:
            return seconds > timings.resend_others_after + 3
        if self._scenario.has_two_leaders:
            return seconds > 1
        return self._holder(controller) is not controller or seconds > 10

    # The end

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, as they are now."""
        items: list[dict[str, Any]] = self._server.request("GET", self._path)["items"]
        return items

    def _look(self) -> None:
        self._tasks = self.tasks()

    def _unfinished(self) -> list[str]:
        now = {task["metadata"]["uid"]: task for task in self._tasks}
        found = []
        for one in self._made:
            if not is_over(one, now.get(one.uid)):
                status = now.get(one.uid, {}).get("status", {})
                blocked = [
                    condition.get("message")
                    for condition in status.get("conditions", ())
                    if condition["type"] == "Blocked" and condition["status"] == "True"
                ]
                found.append(
                    f"{one.name} ({one.fate}): {status.get('phase', 'Pending')}, "
                    f"job {status.get('jobId')}, {blocked}"
                )
        return found

    def _result(self) -> Result:
        seconds = self._now()
        self._look()
        journal = self.batch.journal()
        submits = [entry for entry in journal if entry.operation == "SubmitJob"]
        unread = {"dropped", "delayed", "unreadable"}
        return Result(
            scenario=self._scenario,
            audit=audit(self._made, self._tasks, self.batch.jobs()),
            unfinished=self._unfinished(),
            kills=self._kills,
            stops=self._stops,
            falls=sum(one.falls() for one in self.controllers),
            faults=sum(entry.outcome != "ok" for entry in journal),
            submits=len(submits),
            unknown=sum(one.outcome in unread or one.status >= 500 for one in submits),
            look_ups=sum(entry.operation == "ListJobs" for entry in journal),
            seconds=seconds,
            story=tuple(self._story),
        )


def lease_name(scenario: Scenario, controller: str) -> str:
    """The Lease that a controller seeks."""
    return f"controller-{controller}" if scenario.has_two_leaders else "controller"


def play(scenario: Scenario, server: ApiServer, directory: Path | None = None) -> Result:
    """Run a scenario in a namespace of its own.

    Args:
        scenario: what happens.
        server: a real API server with the CRD; others may use it at the same time.
        directory: gets the controllers' logs and local Batch's journal; None: a temporary one.
    """
    with set_up(scenario, server, directory) as stage:
        return stage.play()


@contextlib.contextmanager
def set_up(scenario: Scenario, server: ApiServer, directory: Path | None) -> Iterator[Stage]:
    """Make a run's namespace and local Batch; nothing is started yet."""
    with ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        namespace = f"chaos-{random.SystemRandom().randrange(1 << 40):010x}"
        server.create_namespace(namespace)
        scale = scenario.first.scale
        batch = stack.enter_context(running(_local_batch(directory, scale)))
        controllers = []
        for name in ("a", "b"):
            variables = environment(
                kubeconfig=server.kubeconfig,
                endpoint_url=batch.url,
                namespace=namespace,
                lease=lease_name(scenario, name),
            )
            controllers.append(Controller(name, directory, {**variables, **scenario.settings}))
            stack.callback(controllers[-1].close)
        yield Stage(scenario, server, namespace, batch, controllers)


def _local_batch(directory: Path, scale: float) -> LocalBatchConfig:
    return LocalBatchConfig(
        directory=directory,
        queues=(Queue("one", vcpus=2000), Queue("two", vcpus=2000)),
        job_definitions=(_DEFINITION,),
        time_scale=scale,
        signature_life_seconds=Timings().signature_life,
    )
