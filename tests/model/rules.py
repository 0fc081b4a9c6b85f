"""What the model counts on: durations in ticks, how the world behaves, which rules are in force."""

from dataclasses import dataclass, field
from typing import NamedTuple

from batchtask_controller.timings import Timings


@dataclass(frozen=True, slots=True)
class Ticks:
    """The durations that the protocol counts on, in ticks; their order is that of `Timings`."""

    send_deadline: int = 0
    visibility_lag: int = 1
    resend_after: int = 2
    signature_life: int = 3
    dating_lag: int = 0
    intent_life: int = 5

    @property
    def resend_others_after(self) -> int:
        """As `Timings.resend_others_after`."""
        return self.send_deadline + self.signature_life + self.dating_lag + self.visibility_lag

    @property
    def straggling(self) -> int:
        """How late a request may arrive whose connection its sender has closed."""
        return self.resend_after - self.visibility_lag

    def in_order(self) -> tuple[int, ...]:
        """The durations in the order that `seconds_in_order` has."""
        return (
            self.send_deadline,
            self.visibility_lag,
            self.resend_after,
            self.signature_life,
            self.resend_others_after,
            self.intent_life,
        )


def seconds_in_order(timings: Timings) -> tuple[float, ...]:
    """The product's own durations, shortest first."""
    return (
        timings.send_deadline,
        timings.visibility_lag,
        timings.resend_after,
        timings.signature_life,
        timings.resend_others_after,
        timings.intent_life,
    )


@dataclass(frozen=True, slots=True)
class World:
    """What really happens, where that may be worse than what the protocol counts on."""

    lag_beyond: int = 0
    """Ticks by which AWS may show a job later than `Ticks.visibility_lag`."""
    straggling_beyond: int = 0
    """Ticks by which a request whose connection is closed may arrive later than assumed."""
    skew_beyond: int = 0
    """Ticks by which a controller's wall clock may be ahead of AWS's."""
    jump: int = 0
    """Ticks by which a wall clock may jump ahead between an intent and its signature."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The protocol's rules, each of which can be taken away."""

    intent: bool = True
    """An intent stands in the status before the send."""
    compare_and_swap: bool = True
    """Each status patch carries a resourceVersion."""
    patch_of_decided: bool = True
    """That version is the one decided on, not the last one seen when the answer came."""
    patch_where_intent_stands: bool = False
    """Instead of that: the last version seen, if the call's intent stands in it, and no end."""
    look_up: bool = True
    """Nothing of unknown outcome is sent again before a look-up found nothing."""
    unknown_is_unknown: bool = True
    """A reply that is lost or can't be read is no proof that nothing was sent."""
    others_wait: int | None = None
    """Ticks before another's intent is sent again, where not `Ticks.resend_others_after`."""
    own_wait: int | None = None
    """Ticks before one's own intent is sent again, where not `Ticks.resend_after`."""
    deadline_monotonic: bool = True
    """`before-send` holds an intent's age by the monotonic clock against the deadline."""
    deadline_wall: bool = True
    """The same by the wall clock, which is also the signature's."""
    leads_before_send: bool = True
    """`before-send` asks whether this process still leads."""
    age_before_look_up: bool = True
    """An intent's age is read before its job is looked for, not after the answer."""
    age_from_end_of_call: bool = True
    """One's own intent ages from the end of the call, not from its announcement."""
    age_by_aws: bool = True
    """Another's intent ages by the date in AWS's answer, not by one's own wall clock."""
    list_at_take_over: bool = True
    """Who takes the Lease lists all tasks before it acts."""
    lease: bool = True
    """One process acts at a time (without this, both do, always)."""
    ledger: bool = True
    """The ids of jobs known from replies and look-ups are remembered."""
    unsent_memory: bool = True
    """Intents that are proven unsent are remembered."""
    store_never_goes_back: bool = True
    """An older version than the last seen is ignored."""
    fresh_identity: bool = True
    """A process that starts anew has a name that no other ever had."""
    recover_first: bool = True
    """A cancelled task whose intent is open ends only once its job is found, or none is."""
    uid_in_name: bool = True
    """A job's name holds its task's uid, and the look-up asks for it."""


class Faults(NamedTuple):
    """How often each kind of fault may still happen; this bounds the search."""

    crash: int = 0
    lease: int = 0
    """A process is frozen past its Lease, or cut off from the API server."""
    reply: int = 0
    """A request or a reply is lost, or the reply can't be read."""
    refuse: int = 0
    """AWS throttles or refuses a request, or can't be connected to."""
    patch: int = 0
    """The answer to a status patch is lost, or the patch itself arrives late."""
    pause: int = 0
    """A process's machine stands still, its monotonic clock too."""
    jump: int = 0
    """A wall clock jumps ahead."""
    cancel: int = 0
    """A user cancels the task."""


@dataclass(frozen=True, slots=True)
class Model:
    """Everything that the search needs to know."""

    faults: Faults
    tasks: int = 1
    ticks: Ticks = field(default_factory=Ticks)
    world: World = field(default_factory=World)
    rules: Rules = field(default_factory=Rules)
    stale: int = 1
    """How many versions a view may be behind: this bounds the search too."""
    fine: bool = False
    """Every step by itself, also those between which a delay is no different from one elsewhere."""

    @property
    def lag(self) -> int:
        """From which age on a job is visible."""
        return self.ticks.visibility_lag + self.world.lag_beyond

    @property
    def straggling(self) -> int:
        """How late a request may arrive whose connection is closed."""
        return self.ticks.straggling + self.world.straggling_beyond

    @property
    def others_wait(self) -> int:
        """Ticks before another's intent is sent again, as its real age shows it.

        AWS may date its answer later than it looked, a reader's own clock may be ahead: both make
        them fewer. Only the latter can be worse than assumed.
        """
        bound = self.rules.others_wait
        if bound is None:
            bound = self.ticks.resend_others_after
        beyond = 0 if self.rules.age_by_aws else self.world.skew_beyond
        return bound - self.ticks.dating_lag - beyond

    @property
    def own_wait(self) -> int:
        """Ticks before one's own intent is sent again."""
        return self.ticks.resend_after if self.rules.own_wait is None else self.rules.own_wait
