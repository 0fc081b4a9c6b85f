"""Which models are searched: the protocol as it stands, under so many faults."""

from collections.abc import Mapping, Sequence

from model.rules import Faults, Model, Ticks, World

_JUMP = World(jump=2)
_SKEWED = Ticks(dating_lag=1, intent_life=6)
_LONGER = Ticks(
    send_deadline=1,
    visibility_lag=2,
    resend_after=4,
    signature_life=6,
    dating_lag=1,
    intent_life=12,
)

SMALL: Sequence[Model] = (
    Model(Faults(crash=1, lease=1, reply=1)),
    Model(Faults(crash=1, reply=1, refuse=1, patch=1)),
    Model(Faults(lease=1, reply=1, patch=1)),
    Model(Faults(lease=1, refuse=1, cancel=1)),
    Model(Faults(reply=1, pause=1)),
    Model(Faults(crash=1, lease=1, jump=1), world=_JUMP),
    Model(Faults(crash=1), tasks=2),
    Model(Faults(lease=1), fine=True),
)
"""For CI: seconds."""

MIDDLE: Sequence[Model] = (
    Model(Faults(crash=1, lease=1, reply=1, refuse=1), stale=2),
    Model(Faults(lease=1, reply=1, patch=1, cancel=1), stale=2),
    Model(Faults(crash=1, lease=1, reply=1), ticks=_SKEWED),
    Model(Faults(crash=1, reply=1, pause=1)),
    Model(Faults(crash=1, reply=1, refuse=1), tasks=2),
    Model(Faults(lease=1), tasks=2),
    Model(Faults(lease=1, reply=1), fine=True),
)
"""For a look at a change: minutes."""

LARGE: Sequence[Model] = (
    Model(Faults(crash=1, lease=2, reply=2)),
    Model(Faults(crash=2, lease=1, reply=1), stale=3),
    Model(Faults(crash=1, lease=1, reply=1, refuse=1, patch=1, cancel=1)),
    Model(Faults(crash=1, lease=1, reply=1), ticks=_LONGER),
    Model(Faults(lease=1, reply=1, pause=1)),
    Model(Faults(crash=2, reply=1), tasks=2),
    Model(Faults(crash=1, lease=1, reply=1), fine=True),
)
"""For a change of the protocol: minutes, and half a gigabyte a million states."""

BOUNDS: Mapping[int, Sequence[Model]] = {1: SMALL, 2: MIDDLE, 3: LARGE}
