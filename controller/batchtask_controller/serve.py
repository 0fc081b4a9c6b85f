"""The controller's life: reach the cluster, put the parts together, serve, stop in order."""

import asyncio
import logging
import signal
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from batchtask_api import BatchTask, Phase, names
from batchtask_controller import metrics
from batchtask_controller.batch import Batch
from batchtask_controller.census import Census
from batchtask_controller.clock import Clock
from batchtask_controller.cluster import Api, ClusterLease, ClusterTasks, cluster_uid
from batchtask_controller.config import Settings
from batchtask_controller.crew import Crew, Sweep
from batchtask_controller.echo import Echo
from batchtask_controller.handlers import Watch, login
from batchtask_controller.health import Health
from batchtask_controller.leader import Leader
from batchtask_controller.log_tails import LogTails
from batchtask_controller.orphans import Orphans, Scope
from batchtask_controller.paced import PacedBatch
from batchtask_controller.pacer import Pacer
from batchtask_controller.poller import Poller, interval
from batchtask_controller.reconcile import Reconciler
from batchtask_controller.recovery import Recovery
from batchtask_controller.store import Store
from batchtask_controller.submitter import Origin, Submitter
from batchtask_controller.tasks import Gone, Refused, Unreachable
from batchtask_controller.timings import Timings
from batchtask_controller.turns import Turns
from batchtask_controller.waiting import Waiting
from batchtask_controller.workqueue import WorkQueue
from batchtask_controller.writer import StatusWriter

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_API_AGAIN = 3.0
_STALE_SWEEPS = 6


async def serve(settings: Settings, batch: Batch, clock: Clock, timings: Timings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConnectionError: no Kubernetes credentials are to be had.
        OSError: the probes' port is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    api = Api(login, connections=settings.api_connections)
    # A connection of its own: a burst of writes must not delay the Lease's renewal.
    lease_api = Api(login, connections=1)
    process = Process(
        settings, batch=batch, api=api, lease_api=lease_api, clock=clock, timings=timings
    )
    health = Health(alive=process.alive(), ready=process.ready())
    try:
        await health.start(settings.health_host, settings.health_port)
        await process.run(stop)
    finally:
        await health.stop()
        await api.close()
        await lease_api.close()
    log.info("stopped")


class Process:
    """One process of the controller, leader or standby."""

    def __init__(
        self,
        settings: Settings,
        *,
        batch: Batch,
        api: Api,
        lease_api: Api,
        clock: Clock,
        timings: Timings,
    ) -> None:
        self._settings = settings
        self._api = api
        self._lease_api = lease_api
        self._clock = clock
        self._timings = timings
        self._identity = f"{settings.identity}_{uuid.uuid4().hex[:8]}"
        self._pacer = Pacer(settings.calls_per_second, clock)
        self._batch = PacedBatch(batch, self._pacer)
        self._store = Store()
        self._queue = WorkQueue()
        self._tasks = ClusterTasks(api, settings.namespaces)
        self._poller = Poller(
            batch=self._batch,
            store=self._store,
            queue=self._queue,
            clock=clock,
            interval_seconds=settings.poll_interval_seconds,
        )
        self._echo = Echo(clock)
        self._watch = Watch(settings.namespaces, self._observed, self._vanished)
        self._crew: Crew | None = None

    def alive(self) -> list[tuple[str, Callable[[], bool]]]:
        """What must hold, or the process is better started anew."""
        return [
            ("no loop has died", lambda: self._crew is None or self._crew.is_whole),
            ("the poller sweeps", self._polls),
            ("the watch shows this process its own writes", lambda: not self._echo.is_late()),
        ]

    def ready(self) -> list[tuple[str, Callable[[], bool]]]:
        """What must hold for this process to be of use."""
        return [
            ("the cluster was reached", lambda: self._crew is not None),
            ("the watch runs", lambda: self._watch.is_running),
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        origin = await _unless(stop, self._reach())
        if origin is None:
            return
        self._crew = self._assemble(origin)
        self._crew.start()
        self._watch.start()
        await stop.wait()
        log.info("stopping")
        await self._crew.stop(self._timings.call_timeout)
        await self._watch.stop()

    def _polls(self) -> bool:
        if self._crew is None or not self._crew.acts:
            return True
        longest = interval(self._settings.poll_interval_seconds, len(self._store))
        return self._clock.monotonic() - self._poller.last_sweep < _STALE_SWEEPS * longest + 60

    def _observed(self, task: BatchTask) -> None:
        self._echo.heard()
        if self._store.observe(task):
            self._queue.add(task.metadata.uid)

    def _vanished(self, uid: str) -> None:
        self._echo.heard()
        self._store.forget(uid)

    async def _reach(self) -> Origin:
        """Wait for the API server and the CRD, and learn who we are."""
        account, region = await self._batch.locate()
        while True:
            try:
                uid = await cluster_uid(self._api)
                await self._tasks.list()
            except Unreachable as error:
                log.warning("%s; trying again every %.0f s", error, _API_AGAIN)
            except Gone:
                log.error(  # noqa: TRY400 - said in words
                    "the cluster at %s has no %s.%s: install the CRD (manifests/crd.yaml); looking "
                    "again every %.0f s",
                    self._api.server,
                    names.PLURAL,
                    names.GROUP,
                    _API_AGAIN,
                )
            except Refused as error:
                log.error(  # noqa: TRY400 - said in words
                    "Kubernetes refused it; check the controller's credentials and its rights "
                    "(manifests/rbac.yaml): %s; trying again every %.0f s",
                    error,
                    _API_AGAIN,
                )
            else:
                log.info(
                    "serving namespaces %s with AWS Batch in %s",
                    ", ".join(self._settings.namespaces),
                    region,
                )
                return Origin(self._identity, uid, account, region)
            await asyncio.sleep(_API_AGAIN)

    def _assemble(self, origin: Origin) -> Crew:
        settings = self._settings
        lease = ClusterLease(self._lease_api, settings.lease_namespace, settings.lease_name)
        leader = Leader(lease, self._identity, self._clock, self._timings)
        turns = Turns(
            batch=self._batch,
            queue=self._queue,
            clock=self._clock,
            limit_seconds=settings.blocked_after_seconds,
        )
        writer = StatusWriter(self._tasks, self._store, self._echo)
        waiting = Waiting()
        metrics.WAITING.set_function(lambda: len(waiting))
        for phase in Phase:
            metrics.TASKS.labels(phase).set_function(partial(self._store.count, phase))
        submitter = Submitter(
            batch=self._batch,
            writer=writer,
            origin=origin,
            leads=leader.leads,
            clock=self._clock,
            timings=self._timings,
        )
        recovery = Recovery(
            batch=self._batch,
            writer=writer,
            origin=origin,
            clock=self._clock,
            timings=self._timings,
        )
        reconciler = Reconciler(
            store=self._store,
            queue=self._queue,
            waiting=waiting,
            tasks=self._tasks,
            batch=self._batch,
            writer=writer,
            submitter=submitter,
            recovery=recovery,
            turns=turns,
            log_tails=LogTails(batch=self._batch, clock=self._clock, is_on=settings.log_tail),
            rules=settings.policy,
            clock=self._clock,
            timings=self._timings,
        )
        census = Census(
            store=self._store,
            tasks=self._tasks,
            clock=self._clock,
            interval_seconds=self._timings.count_again,
        )
        sweeps: list[Sweep] = [self._poller.sweep, turns.sweep, census.sweep]
        if settings.orphan_sweep_seconds:
            sweeps.append(self._orphans(origin, leader).sweep)
        return Crew(
            reconciler=reconciler,
            leader=leader,
            sweeps=sweeps,
            pacer=self._pacer,
            tasks=self._tasks,
            store=self._store,
            queue=self._queue,
            waiting=waiting,
            submissions=settings.submit_concurrency,
        )

    def _orphans(self, origin: Origin, leader: Leader) -> Orphans:
        settings = self._settings
        return Orphans(
            batch=self._batch,
            store=self._store,
            tasks=self._tasks,
            scope=Scope(origin.cluster_uid, frozenset(settings.namespaces)),
            leads=leader.leads,
            clock=self._clock,
            interval_seconds=settings.orphan_sweep_seconds,
            most_ended=settings.orphans_per_sweep if settings.terminate_orphans else 0,
        )


async def _unless(stop: asyncio.Event, work: Awaitable[_T]) -> _T | None:
    """The work's result, or None where the stop came first."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not doing.done():
        doing.cancel()
        return None
    return doing.result()
