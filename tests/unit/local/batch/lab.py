"""An engine on a clock that stands still, with simulated containers: no waiting, no processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from batchtask_local.batch.arns import Arns
from batchtask_local.batch.attempts import StateTimes
from batchtask_local.batch.clock import ManualClock
from batchtask_local.batch.definitions import Definitions
from batchtask_local.batch.engine import Engine
from batchtask_local.batch.model import Job, LogStream, Status
from batchtask_local.batch.places import Places
from batchtask_local.batch.runner import Runner
from batchtask_local.batch.simulated import SimulatedRunner
from batchtask_local.batch.store import JobStore
from batchtask_local.batch.submission import specify
from batchtask_local.batch.tags import Tags

TIMES = StateTimes(submitted=1, pending=1, starting=1, kill_grace=30)
TO_RUNNING = 3.0
"""Seconds from SubmitJob to RUNNING, where there is room."""


@dataclass
class Lab:
    clock: ManualClock
    places: Places
    definitions: Definitions
    store: JobStore
    engine: Engine

    def queue(self, name: str, vcpus: int = 4, priority: int = 1, **more: Any) -> None:
        """Make a queue with an environment of its own, of the same name."""
        self.places.create_environment(environment(name, vcpus))
        self.places.create_queue(queue(name, priority, **more))

    def submit(self, *words: str, queue: str = "main", vcpus: float = 1, **more: Any) -> str:
        """Submit a job whose container does what the words say, and return its id."""
        needs = [{"type": "VCPU", "value": str(vcpus)}]
        overrides = {"command": list(words), "resourceRequirements": needs}
        request: dict[str, Any] = {"jobName": "job", "containerOverrides": overrides, **more}
        found = self.definitions.find(request.get("jobDefinition", "simulated"))
        spec = specify(request, self.places.queue(queue), found, {})
        return self.engine.submit(spec).id

    def job(self, job_id: str) -> Job:
        job = self.store.get(job_id)
        assert job is not None
        return job

    def status(self, job_id: str) -> Status:
        return self.job(job_id).status

    def statuses(self, job_ids: Sequence[str]) -> list[Status]:
        return [self.status(job_id) for job_id in job_ids]

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def vcpus_used(self) -> float:
        return sum(self.engine.used().values()) / 1000


def lab(runner: Runner | None = None, clock: ManualClock | None = None, **queues: int) -> Lab:
    """Make an engine with queues of so many vCPUs, and the job definition `simulated`."""
    clock = clock or ManualClock()
    arns, tags, store = Arns(), Tags(), JobStore()
    places, definitions = Places(arns, tags), Definitions(arns, tags)
    engine = Engine(
        clock=clock,
        runner=runner or SimulatedRunner(clock, ignore_lines),
        store=store,
        places=places,
        times=TIMES,
        instance_memory_mib=8192,
    )
    made = Lab(clock, places, definitions, store, engine)
    for name, vcpus in queues.items():
        made.queue(name, vcpus)
    definitions.register(definition())
    return made


def definition(name: str = "simulated", **more: Any) -> dict[str, Any]:
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]
    properties = {"image": "local/simulated", "resourceRequirements": needs}
    request = {"jobDefinitionName": name, "type": "container", "containerProperties": properties}
    return {**request, **more}


def environment(name: str, vcpus: int) -> dict[str, Any]:
    resources = {"type": "EC2", "maxvCpus": vcpus}
    return {"computeEnvironmentName": name, "type": "MANAGED", "computeResources": resources}


def queue(name: str, priority: int = 1, *environments: str, **more: Any) -> dict[str, Any]:
    order = [
        {"order": number, "computeEnvironment": environment}
        for number, environment in enumerate(environments or (name,))
    ]
    return {"jobQueueName": name, "priority": priority, "computeEnvironmentOrder": order, **more}


def ignore_lines(_stream: LogStream, _lines: Sequence[str]) -> None:
    """Take log lines and keep none."""


def seconds_until(made: Lab, is_reached: Callable[[], bool], limit: float = 10_000) -> float:
    """Let time go on until a condition holds, and return how long that took."""
    start = made.clock.now()
    while not is_reached():
        made.advance(0.5)
        assert made.clock.now() - start < limit * 1000, "the condition never held"
    return (made.clock.now() - start) / 1000
