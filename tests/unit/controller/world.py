"""The whole controller but kopf and HTTP, in virtual time, over fakes that outlive it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from batchtask_api import BatchTask, Phase
from batchtask_controller.batch import JobRequest, JobStatus
from batchtask_controller.census import Census
from batchtask_controller.config import Settings
from batchtask_controller.crew import Crew
from batchtask_controller.desk import Desks
from batchtask_controller.echo import Echo
from batchtask_controller.leader import Leader
from batchtask_controller.places import Account, Place, Places
from batchtask_controller.staff import Common, staff
from batchtask_controller.store import Record, Store
from batchtask_controller.timings import Timings
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
        batches: Mapping[str, FakeBatch],
        clock: FakeClock,
        *,
        identity: str = "one",
        timings: Timings | None = None,
        region: str | None = None,
        watch_delay: float = 0.05,
        orphan_sweep_seconds: float = 0.0,
        orphans_per_sweep: int = 0,
        **settings: object,
    ) -> None:
        """Start none yet; `batches` has the account of each namespace, and under "" its own."""
        self._cluster = cluster
        self._watch_delay = watch_delay
        self.identity = identity
        timings = timings or Timings()
        options = Settings(
            namespaces=(cluster.namespace,),
            orphan_sweep_seconds=orphan_sweep_seconds,
            terminate_orphans=orphans_per_sweep > 0,
            orphans_per_sweep=orphans_per_sweep or 10,
            **settings,  # type: ignore[arg-type]
        )
        located = {
            name: Place(Account(endpoint_url=name), batch.account, region or batch.region)
            for name, batch in batches.items()
        }
        home = located[""]
        places = Places(home, {name: place for name, place in located.items() if name})
        self.store = Store()
        self.leader = Leader(cluster, identity, clock, timings)
        common = Common(
            settings=options,
            identity=identity,
            cluster_uid=CLUSTER_UID,
            places=places,
            store=self.store,
            tasks=cluster,
            writer=StatusWriter(cluster, self.store, Echo(clock)),
            leads=self.leader.leads,
            clock=clock,
            timings=timings,
        )
        staffs = staff(common, {place: batches[name] for name, place in located.items()})
        self.pacer = staffs[home].desk.pacer
        census = Census(
            store=self.store, tasks=cluster, clock=clock, interval_seconds=timings.count_again
        )
        desks = {place: each.desk for place, each in staffs.items()}
        self.desks = Desks(self.store, places, desks)
        self.crew = Crew(
            desks=self.desks,
            leader=self.leader,
            sweeps=[census.sweep, *(sweep for each in staffs.values() for sweep in each.sweeps)],
            tasks=cluster,
            store=self.store,
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
            self.desks.add(task.metadata.uid)


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

    def start(
        self,
        identity: str = "one",
        accounts: Mapping[str, FakeBatch] | None = None,
        **settings: object,
    ) -> Controller:
        """Start a controller; `accounts` has the AWS Batch of namespaces with one of their own."""
        controller = Controller(
            self.cluster,
            {"": self.batch, **(accounts or {})},
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
