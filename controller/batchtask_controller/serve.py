"""The controller's life: reach the cluster, put the parts together, serve, stop in order."""

import asyncio
import logging
import signal
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from batchtask_api import BatchTask, Phase, names
from batchtask_api.policy import Allowed, misplaced
from batchtask_controller import metrics
from batchtask_controller.batch import Batch
from batchtask_controller.census import Census
from batchtask_controller.clock import Clock
from batchtask_controller.cluster import Api, ClusterLease, ClusterTasks, cluster_uid, require_watch
from batchtask_controller.config import Settings
from batchtask_controller.crew import Crew
from batchtask_controller.desk import Desks
from batchtask_controller.echo import Echo
from batchtask_controller.handlers import Watch, login
from batchtask_controller.health import Health
from batchtask_controller.leader import Leader
from batchtask_controller.places import Account, Place, Places, reach
from batchtask_controller.poller import Poller, interval
from batchtask_controller.staff import Common, Staff, staff
from batchtask_controller.store import Store
from batchtask_controller.tasks import Gone, Refused, Unreachable
from batchtask_controller.timings import Timings
from batchtask_controller.writer import StatusWriter

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_API_AGAIN = 3.0
_STALE_SWEEPS = 6


async def serve(
    settings: Settings, batches: Mapping[Account, Batch], clock: Clock, timings: Timings
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: the settings.
        batches: AWS Batch of each account and region that they name, `settings.home` among them.
        clock: the time.
        timings: the durations.

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
        settings, batches=batches, api=api, lease_api=lease_api, clock=clock, timings=timings
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
        batches: Mapping[Account, Batch],
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
        self._batches = batches
        self._store = Store()
        self._tasks = ClusterTasks(api, settings.namespaces)
        self._pollers: Sequence[Poller] = ()
        self._desks: Desks
        self._echo = Echo(clock)
        self._watch = Watch(settings.namespaces, self._observed, self._vanished)
        self._crew: Crew | None = None

    def alive(self) -> list[tuple[str, Callable[[], bool]]]:
        """What must hold, or the process is better started anew."""
        return [
            ("no loop has died", lambda: self._crew is None or self._crew.is_whole),
            ("each poller sweeps", self._polls),
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
        places = await _unless(stop, self._locate())
        cluster = await _unless(stop, self._reach()) if places else None
        if places is None or cluster is None:
            return
        self._crew = self._assemble(cluster, places)
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
        slowest = min(poller.last_sweep for poller in self._pollers)
        return self._clock.monotonic() - slowest < _STALE_SWEEPS * longest + 60

    def _observed(self, task: BatchTask) -> None:
        self._echo.heard()
        if self._store.observe(task):
            self._desks.add(task.metadata.uid)

    def _vanished(self, uid: str) -> None:
        self._echo.heard()
        self._store.forget(uid)

    async def _locate(self) -> Places:
        """Learn which accounts and regions these are; what is said of them must agree."""
        settings = self._settings
        found = await reach(self._batches, settings.home, settings.account_of)
        for namespace in settings.namespaces:
            place = found.of_namespace(namespace)
            log.info("namespace %s: account %s, region %s", namespace, place.account, place.region)
            _check_policy(settings, namespace, place)
        return found

    async def _reach(self) -> str:
        """Wait for the API server and the CRD; give the cluster's uid."""
        while True:
            try:
                uid = await cluster_uid(self._api)
                await self._tasks.list()
                await require_watch(self._api, self._settings.namespaces)
            except Unreachable as error:
                log.warning("%s; trying again every %.0f s", error, _API_AGAIN)
            except Gone:
                log.error(  # noqa: TRY400 - said in words
                    "the cluster at %s has no %s.%s: install the CRD (manifests/crd.yaml); looking "
                    "again every %.0f s",
                    self._api.address,
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
                log.info("serving namespaces %s", ", ".join(self._settings.namespaces))
                return uid
            await asyncio.sleep(_API_AGAIN)

    def _assemble(self, cluster: str, places: Places) -> Crew:
        settings = self._settings
        lease = ClusterLease(self._lease_api, settings.lease_namespace, settings.lease_name)
        leader = Leader(lease, self._identity, self._clock, self._timings)
        common = Common(
            settings=settings,
            identity=self._identity,
            cluster_uid=cluster,
            places=places,
            store=self._store,
            tasks=self._tasks,
            writer=StatusWriter(self._tasks, self._store, self._echo),
            leads=leader.leads,
            clock=self._clock,
            timings=self._timings,
        )
        staffs = staff(common, {place: self._batches[place.via] for place in places.all})
        self._pollers = [each.poller for each in staffs.values()]
        self._measure(tuple(staffs.values()))
        census = Census(
            store=self._store,
            tasks=self._tasks,
            clock=self._clock,
            interval_seconds=self._timings.count_again,
        )
        desks = {place: each.desk for place, each in staffs.items()}
        self._desks = Desks(self._store, places, desks)
        return Crew(
            desks=self._desks,
            leader=leader,
            sweeps=[census.sweep, *(sweep for each in staffs.values() for sweep in each.sweeps)],
            tasks=self._tasks,
            store=self._store,
            submissions=settings.submit_concurrency,
        )

    def _measure(self, staffs: Sequence[Staff]) -> None:
        for phase in Phase:
            metrics.TASKS.labels(phase).set_function(partial(self._store.count, phase))
        metrics.WAITING.set_function(lambda: sum(len(each.desk.waiting) for each in staffs))
        metrics.CALLS_PER_SECOND.set_function(lambda: min(each.desk.pacer.rate for each in staffs))
        metrics.SWEEP_SECONDS.set_function(
            lambda: max(each.poller.sweep_seconds for each in staffs)
        )
        metrics.ORPHANS.set_function(
            lambda: sum(each.orphans.found for each in staffs if each.orphans is not None)
        )


def _check_policy(settings: Settings, namespace: str, place: Place) -> None:
    allowed = (settings.policy or {}).get(namespace, Allowed())
    if wrong := misplaced(allowed, place.account, place.region):
        raise ValueError(
            f"BATCHTASK_POLICY: namespace {namespace} submits to account {place.account} in "
            f"{place.region}; of another one are: {', '.join(wrong)}"
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
