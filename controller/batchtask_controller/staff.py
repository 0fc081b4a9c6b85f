"""Puts together what deals with one AWS account and region."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from batchtask_controller.batch import Batch
from batchtask_controller.clock import Clock
from batchtask_controller.config import Settings
from batchtask_controller.crew import Sweep
from batchtask_controller.desk import Desk
from batchtask_controller.log_tails import LogTails
from batchtask_controller.orphans import Orphans, Scope, Search
from batchtask_controller.paced import PacedBatch
from batchtask_controller.pacer import Pacer
from batchtask_controller.places import Place, Places
from batchtask_controller.poller import Poller
from batchtask_controller.reconcile import Reconciler
from batchtask_controller.recovery import Recovery
from batchtask_controller.store import Store
from batchtask_controller.submitter import Origin, Submitter
from batchtask_controller.tasks import Tasks
from batchtask_controller.timings import Timings
from batchtask_controller.turns import Turns
from batchtask_controller.waiting import Waiting
from batchtask_controller.workqueue import WorkQueue
from batchtask_controller.writer import StatusWriter


@dataclass(frozen=True, slots=True)
class Common:
    """What the desks of a process have in common."""

    settings: Settings
    identity: str
    cluster_uid: str
    places: Places
    store: Store
    tasks: Tasks
    writer: StatusWriter
    leads: Callable[[], bool]
    clock: Clock
    timings: Timings


@dataclass(frozen=True, slots=True)
class Staff:
    """One desk, and the sweeps that go with it."""

    desk: Desk
    poller: Poller
    turns: Turns
    orphans: Orphans | None

    @property
    def sweeps(self) -> Sequence[Sweep]:
        """What goes on while this process leads."""
        always: list[Sweep] = [self.poller.sweep, self.turns.sweep]
        return always if self.orphans is None else [*always, self.orphans.sweep]


def staff(common: Common, batches: Mapping[Place, Batch]) -> Mapping[Place, Staff]:
    """Staff every place; roles of one account and region share its budget."""
    rate, clock = common.settings.calls_per_second, common.clock
    pacers = {(place.account, place.region): Pacer(rate, clock) for place in batches}
    return {
        place: _staffed(common, place, batch, pacers[(place.account, place.region)])
        for place, batch in batches.items()
    }


def _staffed(common: Common, place: Place, batch: Batch, pacer: Pacer) -> Staff:
    settings, clock, timings = common.settings, common.clock, common.timings
    paced: Batch = PacedBatch(batch, pacer)
    queue, waiting = WorkQueue(), Waiting()
    origin = Origin(common.identity, common.cluster_uid, place.account, place.region)
    turns = Turns(
        batch=paced,
        queue=queue,
        clock=clock,
        limit_seconds=settings.blocked_after_seconds,
    )
    reconciler = Reconciler(
        store=common.store,
        queue=queue,
        waiting=waiting,
        tasks=common.tasks,
        batch=paced,
        writer=common.writer,
        submitter=Submitter(
            batch=paced,
            writer=common.writer,
            origin=origin,
            leads=common.leads,
            clock=clock,
            timings=timings,
        ),
        recovery=Recovery(
            batch=paced, writer=common.writer, origin=origin, clock=clock, timings=timings
        ),
        turns=turns,
        log_tails=LogTails(batch=paced, clock=clock, is_on=settings.log_tail),
        rules=settings.policy,
        clock=clock,
        timings=timings,
    )
    poller = Poller(
        batch=paced,
        store=common.store,
        is_ours=common.places.whose_is(place),
        queue=queue,
        clock=clock,
        interval_seconds=settings.poll_interval_seconds,
    )
    desk = Desk(pacer, queue, waiting, reconciler)
    return Staff(desk, poller, turns, _orphans(common, place, paced))


def _orphans(common: Common, place: Place, paced: Batch) -> Orphans | None:
    settings = common.settings
    if not settings.orphan_sweep_seconds:
        return None
    search = Search(
        batch=paced,
        store=common.store,
        is_ours=common.places.whose_is(place),
        tasks=common.tasks,
        scope=Scope(common.cluster_uid, frozenset(settings.namespaces)),
        clock=common.clock,
    )
    return Orphans(
        search,
        batch=paced,
        leads=common.leads,
        clock=common.clock,
        interval_seconds=settings.orphan_sweep_seconds,
        most_ended=settings.orphans_per_sweep if settings.terminate_orphans else 0,
    )
