"""Local Batch as a whole: made from one configuration, started, and stopped without a trace."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from batchtask_local.batch.api import Api
from batchtask_local.batch.arns import Arns
from batchtask_local.batch.attempts import StateTimes
from batchtask_local.batch.clock import Clock, LoopClock
from batchtask_local.batch.definitions import Definitions
from batchtask_local.batch.engine import Engine
from batchtask_local.batch.faults import Faults
from batchtask_local.batch.inspection import Inspection
from batchtask_local.batch.journal import Entry, Journal
from batchtask_local.batch.logs import LogStore
from batchtask_local.batch.model import Job
from batchtask_local.batch.operations import World
from batchtask_local.batch.places import Places
from batchtask_local.batch.process import ProcessRunner
from batchtask_local.batch.runner import (
    CANNOT_PULL_IMAGE,
    SIMULATED_IMAGE,
    Runner,
    RunnerByImage,
)
from batchtask_local.batch.server import Server
from batchtask_local.batch.simulated import CannotPullRunner, SimulatedRunner
from batchtask_local.batch.store import JobStore
from batchtask_local.batch.tags import Tags

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Queue:
    """A job queue to begin with, which has a compute environment of its own."""

    name: str
    vcpus: int
    priority: int = 1


@dataclass(frozen=True, slots=True)
class LocalBatchConfig:
    """All that can be chosen of local Batch."""

    directory: Path
    """Where logs, the journal and the jobs' scratch folders are."""
    queues: Sequence[Queue] = ()
    job_definitions: Sequence[Mapping[str, Any]] = ()
    """RegisterJobDefinition requests."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of every job; nothing of this process's own environment reaches a job."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: any that is free."""
    region: str = "us-east-1"
    account: str = "123456789012"
    time_scale: float = 1.0
    """How long a second of Batch's lasts, in seconds: 0.01 makes a minute 0.6 s."""
    times: StateTimes = field(default_factory=StateTimes)
    faults: Faults = field(default_factory=Faults)
    signature_life_seconds: float = 900.0
    """In Batch's seconds."""
    instance_memory_mib: int | None = None
    """The memory of the largest machine; None: jobs may ask for any."""
    runner: Callable[[Clock, LogStore], Runner] | None = None
    """What runs the jobs; None: processes of this machine, or what their image says."""


class LocalBatch:
    """A server of AWS Batch's API, in the event loop in which it is started."""

    def __init__(self, config: LocalBatchConfig) -> None:
        self.config = config
        self.url = ""
        self.inspection: Inspection
        self._api: Api
        self._closing = AsyncExitStack()

    async def start(self) -> None:
        """Begin to serve; `url` says where.

        Raises:
            OSError: the address can't be had, or the directory can't be written.
            ApiError: a queue or a job definition isn't right.
            ValueError: a fault or the time scale isn't.
        """
        async with AsyncExitStack() as closing:
            await self._start(closing)
            self._closing = closing.pop_all()

    async def stop(self) -> None:
        """Stop serving, and kill every process that a job started."""
        await self._closing.aclose()

    @property
    def faults(self) -> Faults:
        """What is switched on."""
        return self._api.gate.faults

    def set_faults(self, faults: Faults) -> None:
        """Switch faults on and off; counts begin anew.

        Raises:
            ValueError: a fault names an operation that there isn't.
        """
        self._api.gate = self._api.gate_of(faults)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start(self, closing: AsyncExitStack) -> None:
        config = self.config
        clock = LoopClock(config.time_scale)
        logs = LogStore(config.directory / "logs", clock.now)
        runner = (config.runner or self._runner_by_image)(clock, logs)
        closing.push_async_callback(runner.close)
        world = self._world(clock, runner, logs)
        journal = Journal(config.directory / "journal.jsonl")
        closing.callback(journal.close)
        life = timedelta(milliseconds=clock.milliseconds(config.signature_life_seconds))
        self._api = Api(world, journal, config.faults, life)
        self._make_resources()
        self.inspection = Inspection(world, journal)
        server = Server(self._api, self.inspection)
        closing.push_async_callback(server.stop)
        self.url = await server.start(config.host, config.port)

    def _runner_by_image(self, clock: Clock, logs: LogStore) -> Runner:
        processes = ProcessRunner(
            self.config.directory, self.config.environment, logs.open, logs.append
        )
        return RunnerByImage(
            {
                SIMULATED_IMAGE: SimulatedRunner(clock, logs.append),
                CANNOT_PULL_IMAGE: CannotPullRunner(clock),
            },
            default=processes,
        )

    def _world(self, clock: Clock, runner: Runner, logs: LogStore) -> World:
        arns = Arns(self.config.region, self.config.account)
        tags, store = Tags(), JobStore()
        places = Places(arns, tags)
        engine = Engine(
            clock=clock,
            runner=runner,
            store=store,
            places=places,
            times=self.config.times,
            instance_memory_mib=self.config.instance_memory_mib,
        )
        return World(
            arns=arns,
            tags=tags,
            places=places,
            definitions=Definitions(arns, tags),
            store=store,
            engine=engine,
            logs=logs,
            now=clock.now,
            visibility_lag=lambda: self.faults.visibility_lag,
        )

    def _make_resources(self) -> None:
        for queue in self.config.queues:
            self._api.perform("CreateComputeEnvironment", _environment_request(queue))
            self._api.perform("CreateJobQueue", _queue_request(queue))
        for definition in self.config.job_definitions:
            self._api.perform("RegisterJobDefinition", definition)


@dataclass(frozen=True, slots=True)
class LocalBatchHandle:
    """Local Batch in a thread of its own. Every method may be called from any thread."""

    _batch: LocalBatch
    _loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """What clients take as their endpoint URL, of Batch as of CloudWatch Logs."""
        return self._batch.url

    @property
    def directory(self) -> Path:
        """Where logs are (`logs/STREAM.log`) and the journal is (`journal.jsonl`)."""
        return self._batch.config.directory

    @property
    def faults(self) -> Faults:
        """What is switched on."""
        return self._batch.faults

    def set_faults(self, faults: Faults) -> None:
        """Switch faults on and off; counts begin anew.

        Raises:
            ValueError: a fault names an operation that there isn't.
        """
        self._call(lambda: self._batch.set_faults(faults))

    def journal(self, operation: str | None = None, job_name: str | None = None) -> Sequence[Entry]:
        """Return the recorded calls, oldest first."""
        return self._call(lambda: self._batch.inspection.record.entries(operation, job_name))

    def jobs(self) -> Sequence[Job]:
        """Return all jobs, oldest first: also children, invisible and vanished ones."""
        return self._call(self._batch.inspection.jobs)

    def stats(self) -> dict[str, Any]:
        """Return how many jobs are in each state, calls had each outcome, vCPUs are in use."""
        return self._call(self._batch.inspection.stats)

    def vanish(self, job_id: str) -> bool:
        """Let a job be in no description and no list any more; tell if there was one."""
        return self._call(lambda: self._batch.inspection.vanish(job_id))

    def reclaim(self, job_id: str) -> bool:
        """Take the machine from under a job, as Spot does; tell if it had one."""
        return self._call(lambda: self._batch.inspection.reclaim(job_id))

    def _call(self, action: Callable[[], _T]) -> _T:
        async def act() -> _T:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(timeout=60)


@contextmanager
def running(config: LocalBatchConfig) -> Iterator[LocalBatchHandle]:
    """Run local Batch in a thread with an event loop of its own, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local-batch", daemon=True)
    thread.start()
    batch = LocalBatch(config)
    try:
        asyncio.run_coroutine_threadsafe(batch.start(), loop).result(timeout=60)
        try:
            yield LocalBatchHandle(batch, loop)
        finally:
            asyncio.run_coroutine_threadsafe(batch.stop(), loop).result(timeout=60)
    finally:
        asyncio.run_coroutine_threadsafe(_settle(loop), loop).result(timeout=60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=60)
        loop.close()


async def _settle(loop: asyncio.AbstractEventLoop) -> None:
    """End what a loop still does, so that it can be closed."""
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


def _environment_request(queue: Queue) -> dict[str, Any]:
    return {
        "computeEnvironmentName": queue.name,
        "type": "MANAGED",
        "computeResources": {"type": "EC2", "maxvCpus": queue.vcpus},
    }


def _queue_request(queue: Queue) -> dict[str, Any]:
    return {
        "jobQueueName": queue.name,
        "priority": queue.priority,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": queue.name}],
    }
