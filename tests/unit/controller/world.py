"""The whole controller but kopf and HTTP, in virtual time, over fakes that outlive it."""

import asyncio
from dataclasses import dataclass, field

from batchtask_api import BatchTask, Phase
from batchtask_api.policy import Rules
from batchtask_controller.batch import Batch, JobRequest, JobStatus
from batchtask_controller.census import Census
from batchtask_controller.crew import Crew, Sweep
from batchtask_controller.echo import Echo
from batchtask_controller.leader import Leader
from batchtask_controller.log_tails import LogTails
from batchtask_controller.orphans import Orphans, Scope
from batchtask_controller.paced import PacedBatch
from batchtask_controller.pacer import Pacer
from batchtask_controller.poller import Poller
from batchtask_controller.reconcile import Reconciler
from batchtask_controller.recovery import Recovery
from batchtask_controller.store import Record, Store
from batchtask_controller.submitter import Origin, Submitter
from batchtask_controller.timings import Timings
from batchtask_controller.turns import Turns
from batchtask_controller.waiting import Waiting
from batchtask_controller.workqueue import WorkQueue
from batchtask_controller.writer import StatusWriter
from fakes.batch import FakeBatch
from fakes.clock import FakeClock, VirtualTimeLoop
from fakes.cluster import FakeCluster, Watch

CLUSTER_UID = "cluster-uid"


class Controller:
    """One process of the controller, put together as serve.py does it."""

    def __init__(
        self,
        cluster: FakeCluster,
        batch: FakeBatch,
        clock: FakeClock,
        *,
        identity: str = "one",
        timings: Timings | None = None,
        region: str | None = None,
        calls_per_second: float = 40.0,
        watch_delay: float = 0.05,
        blocked_after_seconds: float = 900.0,
        orphan_sweep_seconds: float = 0.0,
        log_tail: bool = True,
        orphans_per_sweep: int = 0,
        rules: Rules | None = None,
    ) -> None:
        self._cluster = cluster
        self._watch_delay = watch_delay
        self.identity = identity
        timings = timings or Timings()
        self.pacer = pacer = Pacer(calls_per_second, clock)
        paced: Batch = PacedBatch(batch, pacer)
        origin = Origin(identity, CLUSTER_UID, batch.account, region or batch.region)
        self.store, self.queue, self.waiting = Store(), WorkQueue(), Waiting()
        self.leader = Leader(cluster, identity, clock, timings)
        writer = StatusWriter(cluster, self.store, Echo(clock))
        self.submitter = Submitter(
            batch=paced,
            writer=writer,
            origin=origin,
            leads=self.leader.leads,
            clock=clock,
            timings=timings,
        )
        self.recovery = Recovery(
            batch=paced, writer=writer, origin=origin, clock=clock, timings=timings
        )
        self.turns = Turns(
            batch=paced, queue=self.queue, clock=clock, limit_seconds=blocked_after_seconds
        )
        self.reconciler = Reconciler(
            store=self.store,
            queue=self.queue,
            waiting=self.waiting,
            tasks=cluster,
            batch=paced,
            writer=writer,
            submitter=self.submitter,
            recovery=self.recovery,
            turns=self.turns,
            log_tails=LogTails(batch=paced, clock=clock, is_on=log_tail),
            rules=rules,
            clock=clock,
            timings=timings,
        )
        self.poller = Poller(
            batch=paced, store=self.store, queue=self.queue, clock=clock, interval_seconds=10
        )
        census = Census(
            store=self.store, tasks=cluster, clock=clock, interval_seconds=timings.count_again
        )
        sweeps: list[Sweep] = [self.poller.sweep, self.turns.sweep, census.sweep]
        if orphan_sweep_seconds:
            orphans = Orphans(
                batch=paced,
                store=self.store,
                tasks=cluster,
                scope=Scope(CLUSTER_UID, frozenset({cluster.namespace})),
                leads=self.leader.leads,
                clock=clock,
                interval_seconds=orphan_sweep_seconds,
                most_ended=orphans_per_sweep,
            )
            sweeps.append(orphans.sweep)
        self.crew = Crew(
            reconciler=self.reconciler,
            leader=self.leader,
            sweeps=sweeps,
            pacer=pacer,
            tasks=cluster,
            store=self.store,
            queue=self.queue,
            waiting=self.waiting,
            submissions=16,
        )
        self.watch: Watch

    def start(self) -> None:
        """Begin to serve."""
        self.watch = self._cluster.watch(
            self._observed, self.store.forget, delay_seconds=self._watch_delay
        )
        self.crew.start()

    async def stop(self) -> None:
        """End as on SIGTERM."""
        await self.crew.stop(25)
        self._end_watch()

    async def kill(self) -> None:
        """End as on SIGKILL: what was sent is sent, and nothing more is done."""
        self._end_watch()
        doing = [*self.crew._loops, *self.crew._sending]
        for each in doing:
            each.cancel()
        await asyncio.gather(*doing, return_exceptions=True)

    def record(self, name: str) -> Record:
        """What it knows of a task."""
        found = self.store.get(self._cluster.task(name).metadata.uid)
        assert found is not None
        return found

    def _end_watch(self) -> None:
        self.watch.is_over = True
        self._cluster.watches.remove(self.watch)

    def _observed(self, task: BatchTask) -> None:
        if self.store.observe(task):
            self.queue.add(task.metadata.uid)


@dataclass
class World:
    """A cluster, an AWS account and the controllers that run between them."""

    clock: FakeClock
    cluster: FakeCluster
    batch: FakeBatch
    controllers: list[Controller] = field(default_factory=list)
    unannounced: list[str] = field(default_factory=list)
    """Jobs that AWS Batch took without their intent being in the cluster at that moment."""

    @classmethod
    def now(cls) -> "World":
        """A world in the running loop's time."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        batch = FakeBatch(loop.clock)
        world = cls(loop.clock, FakeCluster(loop.clock), batch)
        batch.arrived = world._job_arrived
        return world

    def start(self, identity: str = "one", **settings: object) -> Controller:
        """Start a controller."""
        controller = Controller(
            self.cluster,
            self.batch,
            self.clock,
            identity=identity,
            **settings,  # type: ignore[arg-type]
        )
        self.controllers.append(controller)
        controller.start()
        return controller

    async def end(self) -> None:
        """Kill what still runs."""
        for controller in self.controllers:
            if controller.watch in self.cluster.watches:
                await controller.kill()

    def phase(self, name: str = "bt-1") -> Phase:
        """A task's phase."""
        return self.cluster.task(name).status.phase

    def job_of(self, name: str = "bt-1") -> str:
        """The id of a task's job, which must be there."""
        job_id = self.cluster.task(name).status.job_id
        assert job_id is not None
        return job_id

    def jobs_of(self, task: BatchTask) -> int:
        """How many jobs AWS Batch ever took for a task."""
        return len(self.batch.named(task.metadata.uid))

    async def run_job(self, name: str = "bt-1", status: JobStatus = JobStatus.SUCCEEDED) -> None:
        """Let a task's job go on to a status, and the controller see it."""
        self.batch.advance(self.job_of(name), status)
        await asyncio.sleep(11)

    def _job_arrived(self, request: JobRequest) -> None:
        """Check promise 1's first half: no job without its intent."""
        intents = {
            task.status.submission.job_name
            for task in self.cluster.tasks()
            if task.status.submission is not None
        }
        if request.name not in intents:
            self.unannounced.append(request.name)
