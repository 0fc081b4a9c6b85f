"""One run: a namespace, local Batch, controllers, an executor, from first task to audit."""

import contextlib
import json
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchtask_api import names
from batchtask_controller.timings import Timings
from batchtask_executor.cluster.manifest import task_name
from batchtask_local.apiserver import ApiServer, RequestRefusedError
from batchtask_local.batch import (
    SIMULATED_IMAGE,
    Entry,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    running,
)
from batchtask_local.batch.faults import Faults
from chaos.audit import Audit, Made, audit, is_over
from chaos.crew import Controller, Executor, Member, State, environment
from chaos.executor import Queued, Workloads
from chaos.orders import SCALE, Orders
from chaos.rescue import Rescue
from chaos.scenario import Blow, PlannedTask, Role, Scenario, Signal

START_SECONDS = 60.0
END_SECONDS = 150.0
"""By when everything must be over, counted from the last thing that was done to it."""

_SCALED = Timings().scaled(SCALE)
LATE_AT_MOST = (_SCALED.resend_after - _SCALED.visibility_lag) / 2
"""Seconds by which a request whose connection is closed may arrive late, and half of that spare."""

REGIONS = ("us-east-1", "eu-west-1")

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
    stalled: float
    """For how many seconds local Batch once didn't answer: the machine was busy elsewhere."""
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


@dataclass(frozen=True, slots=True)
class Forget:
    """AWS Batch is to forget every job there is."""


Deed = Creation | End | Blow | Faults | Forget


class Stage:
    """A run under way."""

    def __init__(
        self,
        scenario: Scenario,
        server: ApiServer,
        namespace: str,
        batches: Sequence[LocalBatchHandle],
        controllers: Sequence[Controller],
        executor: Executor | None,
    ) -> None:
        self._scenario = scenario
        self._server = server
        self._namespace = namespace
        self._path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._batches = batches
        self.controllers = controllers
        self._executor = executor
        crew: list[Member] = [*controllers, *([executor] if executor else [])]
        self._rescue = Rescue(scenario, crew, self._holder, self._tell)
        self._awaited = {task_name(external_id(one)): one for one in airflows(scenario)}
        self._made: list[Made] = []
        self._tasks: list[dict[str, Any]] = []
        self._story: list[str] = []
        self._begun = time.monotonic()
        self._stalled = 0.0

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
            is_whole = self._rescue.look(self._now())
            if self._now() >= next_look:
                self._look()
                next_look = self._now() + _LOOK
            asked = self._now()
            heard = len(self._journal("SubmitJob")) + len(self._journal("ListJobs"))
            self._stalled = max(self._stalled, self._now() - asked)
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
        first.start(self._rescue.orders(self._scenario.first))
        self._await(first, lambda: self._holder(first) is first)
        second.start(self._rescue.orders(self._scenario.second))
        words = "this process leads" if self._scenario.has_two_leaders else "standing by"
        self._await(second, lambda: second.said(words))
        if self._executor is not None:
            self._executor.workloads = workloads(
                self._scenario, self._server, self._namespace, time.time()
            )
            self._executor.start(Orders())

    def _await(self, controller: Controller, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline or controller.state() is State.DEAD:
                raise AssertionError(f"it did not come up:\n{controller.last_words()}")
            time.sleep(_TICK)

    # What is done to it

    def _deeds(self) -> list[tuple[float, Deed]]:
        scenario = self._scenario
        deeds: list[tuple[float, Deed]] = [*scenario.weather]
        deeds += [(blow.at, blow) for blow in scenario.blows]
        if scenario.forgotten_at is not None:
            deeds.append((scenario.forgotten_at, Forget()))
        ours = [task for task in scenario.tasks if not task.is_airflows]
        deeds += [(task.at, Creation(task)) for task in ours]
        ends = [task for task in ours if task.fate not in {"runs", "forgotten"}]
        deeds += [(task.fate_at, End(task)) for task in ends]
        return sorted(deeds, key=lambda deed: deed[0])

    def _do(self, deed: Deed) -> None:
        match deed:
            case Faults():
                self._batches[0].set_faults(deed)
            case Blow():
                self._strike(deed.role, deed.signal)
            case Creation():
                self.create(deed.task)
            case End():
                self._end(deed.task)
            case Forget():
                for job in self._batches[0].jobs():
                    self._batches[0].vanish(job.id)

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
        struck = self._of_role(role)
        if struck and struck[0].state() is State.RUNS:
            self._tell(f"{role} {struck[0].identity} gets {name}")
            struck[0].send(name)

    def _of_role(self, role: Role) -> Sequence[Member]:
        if role == "executor":
            return [self._executor] if self._executor else []
        leader = self._holder(self.controllers[0])
        return [one for one in self.controllers if (one is leader) == (role == "leader")]

    def _holder(self, asking: Member) -> Controller | None:
        """Who holds the Lease (its own, where there are two)."""
        lease = lease_name(self._scenario, asking.name)
        try:
            spec = self._server.request("GET", f"{self._leases}/{lease}")["spec"]
        except RequestRefusedError:
            return None
        holder = str(spec.get("holderIdentity") or "").partition("_")[0]
        return next((one for one in self.controllers if one.identity == holder), None)

    # The end

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, as they are now."""
        items: list[dict[str, Any]] = self._server.request("GET", self._path)["items"]
        return items

    def _look(self) -> None:
        self._tasks = self.tasks()
        for task in self._tasks:
            if planned := self._awaited.pop(task["metadata"]["name"], None):
                self._made.append(Made(task["metadata"]["uid"], planned.name, planned.fate))

    def _journal(self, operation: str | None = None) -> list[Entry]:
        return [entry for batch in self._batches for entry in batch.journal(operation)]

    def _unfinished(self) -> list[str]:
        now = {task["metadata"]["uid"]: task for task in self._tasks}
        found = [f"{one.name}: not there" for one in self._awaited.values() if one.fate == "runs"]
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
        journal = self._journal()
        submits = [entry for entry in journal if entry.operation == "SubmitJob"]
        jobs = [job for batch in self._batches for job in batch.jobs()]
        unread = {"dropped", "delayed", "unreadable"}
        return Result(
            scenario=self._scenario,
            audit=audit(self._made, self._tasks, jobs),
            unfinished=self._unfinished(),
            kills=self._rescue.kills,
            stops=self._rescue.stops,
            falls=sum(one.falls() for one in self.controllers),
            faults=sum(entry.outcome != "ok" for entry in journal),
            submits=len(submits),
            unknown=sum(one.outcome in unread or one.status >= 500 for one in submits),
            look_ups=sum(entry.operation == "ListJobs" for entry in journal),
            seconds=seconds,
            stalled=self._stalled,
            story=tuple(self._story),
        )


def lease_name(scenario: Scenario, controller: str) -> str:
    """The Lease that a controller seeks."""
    return f"controller-{controller}" if scenario.has_two_leaders else "controller"


def play(scenario: Scenario, server: ApiServer, directory: Path | None = None) -> Result:
    """Run a scenario in a namespace of its own.

    It is run once more where the machine stood still for longer than the scaled durations allow a
    request to be late, or where no controller came to its point: such a run shows nothing.

    Args:
        scenario: what happens.
        server: a real API server with the CRD; others may use it at the same time.
        directory: gets the controllers' logs and local Batch's journal; None: a temporary one.
    """
    with set_up(scenario, server, directory) as stage:
        result = stage.play()
    if result.stalled < LATE_AT_MOST and result.falls >= scenario.must_fall:
        return result
    with set_up(scenario, server, directory and directory / "again") as stage:
        return stage.play()


@contextlib.contextmanager
def set_up(scenario: Scenario, server: ApiServer, directory: Path | None) -> Iterator[Stage]:
    """Make a run's namespace and local Batch; nothing is started yet."""
    with ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(exist_ok=True)
        namespace = f"chaos-{random.SystemRandom().randrange(1 << 40):010x}"
        server.create_namespace(namespace)
        scale = scenario.first.scale
        regions = REGIONS if scenario.has_two_regions else REGIONS[:1]
        batches = [
            stack.enter_context(running(_local_batch(directory / region, region, scale)))
            for region in regions
        ]
        controllers = []
        for index, name in enumerate(("a", "b")):
            place = index % len(regions)
            variables = environment(
                kubeconfig=server.kubeconfig,
                endpoint_url=batches[place].url,
                region=regions[place],
                namespace=namespace,
                lease=lease_name(scenario, name),
            )
            if scenario.reaches_both:
                other = {"region": regions[1 - place], "endpointUrl": batches[1 - place].url}
                variables["BATCHTASK_ACCOUNTS"] = json.dumps({"left": other})
            controllers.append(Controller(name, directory, {**variables, **scenario.settings}))
            stack.callback(controllers[-1].close)
        executor = None
        if airflows(scenario):
            nothing_yet = workloads(scenario, server, namespace, 0.0)
            executor = Executor(directory, nothing_yet)
            stack.callback(executor.close)
        yield Stage(scenario, server, namespace, batches, controllers, executor)


def airflows(scenario: Scenario) -> Sequence[PlannedTask]:
    """The tasks that the executor writes."""
    return [task for task in scenario.tasks if task.is_airflows]


def external_id(task: PlannedTask) -> str:
    """What Airflow gives it before the executor sees it; a run's namespace is its own."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, task.name))


def workloads(scenario: Scenario, server: ApiServer, namespace: str, begun: float) -> Workloads:
    """What the executor is given, by the wall clock at which the run begins."""
    return Workloads(
        namespace=namespace,
        kubeconfig=str(server.kubeconfig),
        queued=[
            Queued(
                name=task.name,
                external_id=external_id(task),
                queue=task.queue,
                at=begun + task.at,
                cancelled_at=begun + task.fate_at if task.fate == "cancelled" else None,
            )
            for task in airflows(scenario)
        ],
    )


def _local_batch(directory: Path, region: str, scale: float) -> LocalBatchConfig:
    return LocalBatchConfig(
        directory=directory,
        region=region,
        queues=(Queue("one", vcpus=2000), Queue("two", vcpus=2000)),
        job_definitions=(_DEFINITION,),
        time_scale=scale,
        signature_life_seconds=Timings().signature_life,
    )
