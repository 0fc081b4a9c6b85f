"""The protocol with one rule taken away, and the world made worse than it counts on."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.rules import Faults, Model, Rules, Ticks, World
from model.state import Property


@dataclass(frozen=True, slots=True)
class Mutant:
    """A model that differs from the protocol's in one thing."""

    name: str
    model: Model
    breaks: Property | None
    """What the search must find broken; None where it must find everything kept."""


def _broken(
    name: str,
    rules: Rules,
    breaks: Property = Property.ONE_JOB,
    *,
    world: World | None = None,
    ticks: Ticks | None = None,
    tasks: int = 1,
    **faults: int,
) -> Mutant:
    model = Model(
        Faults(**faults),
        rules=rules,
        world=world or World(),
        ticks=ticks or Ticks(),
        tasks=tasks,
    )
    return Mutant(name, model, breaks)


def _kept(name: str, rules: Rules, world: World | None = None, **faults: int) -> Mutant:
    return Mutant(name, Model(Faults(**faults), rules=rules, world=world or World()), None)


NEEDED: Sequence[Mutant] = (
    _broken("no intent", Rules(intent=False), crash=1),
    _broken("intent without compare-and-swap", Rules(compare_and_swap=False), crash=1, lease=1),
    _broken(
        "late patches without compare-and-swap", Rules(compare_and_swap=False), reply=1, patch=1
    ),
    _broken(
        "result patched against the latest version", Rules(patch_of_decided=False), lease=1, reply=1
    ),
    _broken("sent again without a look-up", Rules(look_up=False), reply=1),
    _broken("unreadable reply taken for unsent", Rules(unknown_is_unknown=False), reply=1),
    _broken("another's intent: a tick too early", Rules(others_wait=3), crash=1),
    _broken("another's intent: as early as one's own", Rules(others_wait=2), crash=1),
    _broken("one's own intent: a tick too early", Rules(own_wait=1), reply=1),
    _broken(
        "no deadline in before-send",
        Rules(deadline_monotonic=False, deadline_wall=False),
        crash=1,
    ),
    _broken("deadline by the monotonic clock alone, paused", Rules(deadline_wall=False), pause=1),
    _broken(
        "deadline by the monotonic clock alone, clock jumps",
        Rules(deadline_wall=False),
        world=World(jump=2),
        crash=1,
        jump=1,
    ),
    _broken(
        "another's age by one's own wall clock",
        Rules(age_by_aws=False),
        world=World(skew_beyond=1),
        crash=1,
    ),
    _broken("age read after the look-up", Rules(age_before_look_up=False), reply=1),
    _broken("own age from the announcement", Rules(age_from_end_of_call=False), reply=1),
    _broken("ids of sent jobs forgotten", Rules(ledger=False), patch=1),
    _broken(
        "look-up without the uid", Rules(uid_in_name=False), Property.OWN_JOB, tasks=2, reply=1
    ),
    _broken(
        "cancelled before recovered",
        Rules(recover_first=False),
        Property.NO_ORPHAN,
        reply=1,
        cancel=1,
    ),
    _broken(
        "Lost before a request can have died",
        Rules(),
        Property.NO_ORPHAN,
        ticks=Ticks(intent_life=3),
        crash=1,
    ),
)
"""Rules without which a task gets two jobs, or loses one."""

ENDS = _broken(
    "result patched against the latest version, after the end",
    Rules(patch_of_decided=False),
    Property.END_IS_END,
    lease=1,
)

_WHERE_IT_STANDS = Rules(patch_of_decided=False, patch_where_intent_stands=True)

_NONE_OF_THESE = Rules(
    list_at_take_over=False,
    leads_before_send=False,
    lease=False,
    deadline_monotonic=False,
    store_never_goes_back=False,
    unsent_memory=False,
    fresh_identity=False,
)

REDUNDANT: Sequence[Mutant] = (
    _kept("result patched where its intent stands", _WHERE_IT_STANDS, lease=1, reply=1),
    _kept("no list at take-over", Rules(list_at_take_over=False), lease=1, reply=1),
    _kept("no leads() in before-send", Rules(leads_before_send=False), lease=1, reply=1),
    _kept("no Lease: both act", Rules(lease=False), crash=1),
    _kept(
        "deadline by the wall clock alone",
        Rules(deadline_monotonic=False),
        World(jump=2),
        lease=1,
        jump=1,
    ),
    _kept("store goes back", Rules(store_never_goes_back=False), lease=1, reply=1),
    _kept("unsent intents forgotten", Rules(unsent_memory=False), lease=1, refuse=1, patch=1),
    _kept("identity used again", Rules(fresh_identity=False), crash=1, reply=1, refuse=1),
    _kept("all of these at once", _NONE_OF_THESE, reply=1),
    _kept("all of these at once, with a kill", _NONE_OF_THESE, crash=1),
)
"""Rules that no property rests on: they save calls and time."""

BEYOND: Sequence[Mutant] = (
    _broken("job visible too late, own", Rules(), world=World(lag_beyond=1), reply=1),
    _broken("job visible too late, another's", Rules(), world=World(lag_beyond=1), crash=1),
    _broken("request arrives too late", Rules(), world=World(straggling_beyond=1), reply=1),
    _kept("clock too far ahead", Rules(), World(skew_beyond=1), crash=1, lease=1),
    _kept("job visible too late, reply read", Rules(), World(lag_beyond=1), patch=1),
)
"""The world worse than the durations assume."""
