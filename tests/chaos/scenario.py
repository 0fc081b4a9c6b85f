"""What happens in one run, all of it drawn from one seed before anything starts."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from batchtask_local.batch.faults import ErrorFault, Faults, ReplyFault
from chaos.audit import Fate
from chaos.orders import Mutant, Orders, Point

CHAOS_SECONDS = 10.0
"""For how long things go wrong; then everything must come to its end."""

LONG = 1_000_000
"""Batch's seconds that no run sees the end of: such a job must be ended by the controller."""

Role = Literal["leader", "standby", "executor"]
Signal = Literal["KILL", "STOP"]


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task to create, and what is done to it."""

    name: str
    queue: str
    at: float
    seconds: float
    """How long its job runs, in Batch's seconds."""
    exit_code: int
    has_finalizer: bool
    fate: Fate = "runs"
    fate_at: float = 0.0
    is_airflows: bool = False
    """The executor writes it, with a workload in a Secret; its job ends at once."""


@dataclass(frozen=True, slots=True)
class Blow:
    """A process killed or frozen from without."""

    at: float
    role: Role
    signal: Signal


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run."""

    name: str
    seed: int
    tasks: Sequence[PlannedTask]
    weather: Sequence[tuple[float, Faults]] = ()
    """Which faults are on from when."""
    blows: Sequence[Blow] = ()
    first: Orders = field(default_factory=Orders)
    """For the leader's first process."""
    second: Orders = field(default_factory=Orders)
    """For the standby's."""
    later: Sequence[Orders] = ()
    """For those that are started in place of the fallen, one after the other; then clean ones."""
    mutant: Mutant | None = None
    has_two_leaders: bool = False
    """Each controller has a Lease of its own: both act at once."""
    has_two_regions: bool = False
    """The second controller asks another region: somebody edits where tasks go, back and forth."""
    reaches_both: bool = False
    """Of two regions each controller can ask the other's too: the old one was left in its map."""
    forgotten_at: float | None = None
    """When AWS Batch forgets every job there is."""
    raised_after: tuple[float, float] = (0.1, 1.5)
    """How many seconds the dead stay so, between these two."""
    outlasts_signature: bool = False
    """What froze stays so until all that waited for it has gone on."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """More variables of both controllers."""
    must_fall: int = 0
    """How many controllers must have fallen at their points, or the run shows nothing."""


def of_seed(seed: int, tasks: int = 200) -> Scenario:
    """A run in which anything happens."""
    draw = random.Random(seed)
    return Scenario(
        name=f"seed-{seed}",
        seed=seed,
        tasks=tuple(_tasks(draw, tasks)),
        weather=tuple(_weather(draw)),
        blows=tuple(_blows(draw)),
        first=_orders(draw),
        second=_orders(draw),
        later=tuple(_orders(draw) for _ in range(draw.randint(1, 4))),
        has_two_leaders=draw.random() < 0.2,
        outlasts_signature=draw.random() < 0.15,
    )


def _tasks(draw: random.Random, number: int) -> Iterator[PlannedTask]:
    for index in range(number):
        at = draw.uniform(0, CHAOS_SECONDS * 0.7)
        fates: list[Fate] = ["runs", "cancelled", "deleted", "retained"]
        fate = draw.choices(fates, (70, 12, 13, 5))[0]
        must_be_ended = fate in {"cancelled", "deleted"} and draw.random() < 0.8
        is_airflows = fate in {"runs", "cancelled"} and draw.random() < 0.3
        yield PlannedTask(
            name=f"task-{index}",
            queue=draw.choice(("one", "two")),
            at=at,
            seconds=LONG if must_be_ended else draw.uniform(0, 150),
            exit_code=0 if draw.random() < 0.8 or is_airflows else 3,
            has_finalizer=draw.random() < 0.7,
            fate=fate,
            fate_at=at + draw.choice((0.0, draw.uniform(0, 0.5), draw.uniform(0, 6))),
            is_airflows=is_airflows,
        )


def _weather(draw: random.Random) -> Iterator[tuple[float, Faults]]:
    at = 0.0
    while at < CHAOS_SECONDS:
        yield at, _faults(draw)
        at += draw.uniform(0.7, 2.5)
    yield CHAOS_SECONDS, Faults()


def _faults(draw: random.Random) -> Faults:
    def some(most: int) -> int:
        return draw.randint(1, most)

    errors = (
        ErrorFault(operation="SubmitJob", times=some(8), status=draw.choice((500, 502, 503))),
        ErrorFault(operation="ListJobs", times=some(5)),
        ErrorFault(operation="DescribeJobs", times=some(3), status=503),
        ErrorFault(operation="TerminateJob", times=some(5)),
    )
    replies = (
        ReplyFault(outcome="drop", times=some(5)),
        ReplyFault(outcome="unreadable", times=some(3)),
        ReplyFault(outcome="error", times=some(5)),
        ReplyFault(outcome="delay", seconds=draw.uniform(0.1, 3), times=some(5)),
        ReplyFault(outcome="drop", takes_effect=False, times=some(4)),
        ReplyFault(operation="ListJobs", outcome="unreadable", times=some(4)),
        ReplyFault(operation="TerminateJob", outcome="drop", times=some(3)),
    )
    return Faults(
        latency=draw.uniform(0, 0.04),
        jitter=draw.uniform(0, 0.06),
        seed=draw.randrange(1 << 30),
        throttle=draw.choice((None, None, draw.uniform(10, 40))),
        retry_after=draw.choice((None, draw.uniform(0.05, 0.5))),
        errors=tuple(fault for fault in errors if draw.random() < 0.4),
        replies=tuple(fault for fault in replies if draw.random() < 0.4),
        visibility_lag=draw.choice((0.0, draw.uniform(0, 60))),
    )


def _blows(draw: random.Random) -> Iterator[Blow]:
    at = draw.uniform(0.3, 4)
    while at < CHAOS_SECONDS:
        roles: list[Role] = ["leader", "standby", "executor"]
        role = draw.choices(roles, (55, 25, 20))[0]
        yield Blow(at, role, draw.choice(("KILL", "STOP")))
        at += draw.uniform(2, 6)


def _orders(draw: random.Random) -> Orders:
    point = draw.choice((None, *Point))
    return Orders(
        point=point,
        passes=draw.choice((1, draw.randint(2, 10), draw.randint(10, 60))),
        signal=draw.choice(("KILL", "STOP")),
        delay=draw.uniform(0.001, 0.06) if point is Point.DURING_SEND else 0.0,
        stale=draw.choice((0.0, 0.0, draw.uniform(0, 3))),
        linger=draw.choice((0.0, 0.0, draw.uniform(0, 0.3))),
    )


def every_point() -> tuple[Scenario, ...]:
    """Each point by death, the send also by frost, and what no point stands for."""
    return (
        *(at_point(point, "KILL") for point in Point),
        at_point(Point.BEFORE_INTENT, "STOP"),
        at_point(Point.IN_BEFORE_SEND, "STOP"),
        at_point(Point.IN_BEFORE_SEND, "STOP", outlasts=True),
        with_stale_standby(),
        with_two_leaders(),
        with_lost_replies(),
        with_dying_executor(),
        with_map_edited(),
        with_map_edited(reaches_both=True),
        with_retention_passed(),
    )


def every_frost() -> tuple[Scenario, ...]:
    """Each point by frost, for a time and for longer than a signature lives."""
    return tuple(
        at_point(point, "STOP", outlasts=outlasts) for point in Point for outlasts in (False, True)
    )


def plain_tasks(number: int, *, seconds: float = 30) -> tuple[PlannedTask, ...]:
    """Tasks that are made at once and left alone."""
    return tuple(
        PlannedTask(f"task-{index}", "one", 0.0, seconds, 0, has_finalizer=index % 2 == 0)
        for index in range(number)
    )


_LATENCY = Faults(latency=0.1)
_NO_REPLIES = Faults(replies=(ReplyFault(outcome="drop", times=6),), visibility_lag=30)


def at_point(point: Point, signal: Signal, *, outlasts: bool = False) -> Scenario:
    """The leader falls at a point, and the standby goes on."""
    looks_up = point in {Point.BEFORE_LOOK_UP, Point.AFTER_LOOK_UP}
    by_standby = point is Point.TAKING_OVER
    weather: Sequence[tuple[float, Faults]] = ()
    if looks_up:
        weather = ((0.0, _NO_REPLIES),)
    elif point is Point.DURING_SEND:
        weather = ((0.0, _LATENCY),)
    falls = Orders(
        point=point,
        passes=1 if looks_up or by_standby else 2,
        signal=signal,
        delay=0.03 if point is Point.DURING_SEND else 0.0,
    )
    return Scenario(
        name=f"{point}/{signal}{'/long' if outlasts else ''}",
        seed=0,
        tasks=plain_tasks(20),
        weather=weather,
        blows=(Blow(1.0, "leader", "KILL"),) if by_standby else (),
        first=Orders() if by_standby else falls,
        second=falls if by_standby else Orders(),
        later=(falls,) if by_standby else (),  # whichever is faster takes over
        outlasts_signature=outlasts,
        must_fall=1,
    )


def with_stale_standby() -> Scenario:
    """The standby's cache is seconds behind when it takes over from a leader killed at work."""
    return Scenario(
        name="stale-standby",
        seed=0,
        tasks=plain_tasks(60),
        blows=(Blow(0.4, "leader", "KILL"),),
        second=Orders(stale=4.0),
    )


def with_two_leaders() -> Scenario:
    """Both act at once: what is left is the compare-and-swap."""
    lingers = Orders(linger=0.2)
    return Scenario(
        name="two-leaders",
        seed=0,
        tasks=plain_tasks(80),
        first=lingers,
        second=lingers,
        has_two_leaders=True,
    )


def with_lost_replies() -> Scenario:
    """Jobs are made and no reply comes; the name alone tells."""
    return Scenario(
        name="lost-replies", seed=0, tasks=plain_tasks(20), weather=((0.0, _NO_REPLIES),)
    )


def with_dying_executor() -> Scenario:
    """The executor dies again and again while it writes."""
    tasks = [
        PlannedTask(
            f"task-{index}",
            "one",
            index * 0.03,
            0,
            0,
            has_finalizer=True,
            fate="runs" if index % 4 else "cancelled",
            fate_at=index * 0.03 + (index % 7) * 0.3,
            is_airflows=True,
        )
        for index in range(100)
    ]
    blows = [Blow(0.3 + 0.9 * index, "executor", "KILL") for index in range(5)]
    return Scenario(name="dying-executor", seed=0, tasks=tasks, blows=blows)


def with_map_edited(*, reaches_both: bool = False) -> Scenario:
    """Whoever leads submits to another region than the one before.

    It finishes what went to its own, and the other's too where its map still has that.
    """
    falls = Orders(point=Point.DURING_SEND, passes=8, delay=0.03)
    return Scenario(
        name=f"map-edited{'/both' if reaches_both else ''}",
        seed=0,
        tasks=plain_tasks(40, seconds=5),
        weather=((0.0, _LATENCY),),
        blows=tuple(Blow(6.0 + 8 * index, "leader", "KILL") for index in range(4)),
        first=falls,
        second=falls,
        has_two_regions=True,
        reaches_both=reaches_both,
        must_fall=1,
    )


def with_retention_passed() -> Scenario:
    """All controllers are away until AWS has forgotten a job whose id none of them wrote down."""
    falls = Orders(point=Point.AFTER_REPLY, passes=5)
    returns = Orders(intent_life=24.0)  # over resend_others_after, as the product's day is
    return Scenario(
        name="retention-passed",
        seed=0,
        tasks=[replace(task, fate="forgotten") for task in plain_tasks(10, seconds=5)],
        blows=(Blow(0.0, "standby", "KILL"),),
        first=falls,
        later=(returns, returns),
        forgotten_at=20.0,
        raised_after=(26.0, 27.0),
        must_fall=1,
    )


def of_mutant(mutant: Mutant) -> Scenario:
    """The run in which leaving out this part of the protocol must show."""
    shown_by = {
        Mutant.NO_INTENT: at_point(Point.AFTER_REPLY, "KILL"),
        Mutant.NO_CAS: with_two_leaders(),
        Mutant.NO_LOOKUP: with_lost_replies(),
    }
    scenario = shown_by[mutant]
    return replace(scenario, name=f"{mutant} {scenario.name}", mutant=mutant)
