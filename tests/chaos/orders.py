"""What one controller process of the suite is told: where to fall, and what it does without."""

import os
from dataclasses import replace
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from batchtask_controller.timings import Timings

VARIABLE = "CHAOS_ORDERS"

SCALE = 0.02
"""How long a second of the protocol's durations, and of local Batch's, lasts."""
LEASE_SCALE = 0.2
"""The same of the Lease's: any shorter, a busy machine would lose leaders without being told to."""


class Point(StrEnum):
    """Steps of the protocol at which a controller can fall."""

    BEFORE_INTENT = "before-intent"
    """The intent's patch is about to be sent."""
    AFTER_INTENT = "after-intent"
    """The intent's patch was answered; nothing was sent to AWS."""
    BEFORE_CHECK = "before-check"
    """In botocore's before-send hook: signed, and not yet asked whether it may be sent."""
    IN_BEFORE_SEND = "in-before-send"
    """The same, and it may be sent: not a byte has been."""
    DURING_SEND = "during-send"
    """Some milliseconds later: the request is under way."""
    AFTER_REPLY = "after-reply"
    """AWS has answered; the job's id is not written yet."""
    AFTER_RECORD = "after-record"
    """The patch with the job's id was answered."""
    BEFORE_LOOK_UP = "before-look-up"
    AFTER_LOOK_UP = "after-look-up"
    """Jobs of unknown outcome were looked for; what was found is not written yet."""
    TAKING_OVER = "taking-over"
    """The Lease is ours, and the list of all tasks is under way."""


class Mutant(StrEnum):
    """A part of the protocol that is left out, to see whether the audit sees it."""

    NO_INTENT = "no-intent"
    NO_CAS = "no-cas"
    NO_LOOKUP = "no-lookup"


class Orders(BaseModel):
    """One process's, from its start to its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    point: Point | None = None
    passes: int = 1
    """The how-manieth time there it falls."""
    signal: Literal["KILL", "STOP"] = "KILL"
    delay: float = 0.0
    """Seconds from the point to the fall."""
    stale: float = 0.0
    """By how many seconds the watch's news comes late."""
    linger: float = 0.0
    """Seconds that each intent's patch takes on its way: what was read for it grows old."""
    mutant: Mutant | None = None
    intent_life: float | None = None
    """After how many seconds a submission that isn't found is Lost, where not the scaled day."""
    scale: float = SCALE
    lease_scale: float = LEASE_SCALE

    @classmethod
    def read(cls) -> Self:
        """This process's own orders."""
        return cls.model_validate_json(os.environ[VARIABLE])

    def timings(self) -> Timings:
        """The product's durations, scaled."""
        lease = Timings().scaled(self.lease_scale)
        timings = replace(
            Timings().scaled(self.scale),
            lease_duration=lease.lease_duration,
            renew_deadline=lease.renew_deadline,
            lease_retry=lease.lease_retry,
        )
        if self.intent_life is not None:
            timings = replace(timings, intent_life=self.intent_life)
        if self.mutant is Mutant.NO_LOOKUP:
            return replace(
                timings, resend_after=0.0, signature_life=0.0, dating_lag=0.0, visibility_lag=0.0
            )
        return timings


class Shown(StrEnum):
    """Marks that a controller leaves in its log for the suite."""

    FIRED = "chaos: fell at its point"
