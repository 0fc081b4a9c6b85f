"""Raises what fell: the dead are started anew, the frozen go on once others have gone on."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from batchtask_controller.timings import Timings
from chaos.crew import Controller, Member, State
from chaos.orders import SCALE, Orders
from chaos.scenario import Scenario


@dataclass(slots=True)
class _Hand:
    """When what fell is to be raised."""

    raise_at: float | None = None
    frozen_at: float | None = None


class Rescue:
    """Looks after every process of a run.

    Args:
        scenario: says for how long what fell stays so, and what the next processes are told.
        crew: whom it looks after.
        holder: who holds the Lease that this process seeks.
        tell: takes a line of the run's story.
    """

    def __init__(
        self,
        scenario: Scenario,
        crew: Sequence[Member],
        holder: Callable[[Member], Controller | None],
        tell: Callable[[str], None],
    ) -> None:
        self._scenario = scenario
        self._crew = crew
        self._holder = holder
        self._tell = tell
        self._hands = {one.name: _Hand() for one in crew}
        self._draw = random.Random(scenario.seed)
        self._later: Iterator[Orders] = iter(scenario.later)
        self.kills = self.stops = 0

    def orders(self, orders: Orders) -> Orders:
        """The same orders, with the scenario's own mutant."""
        return orders.model_copy(update={"mutant": self._scenario.mutant})

    def look(self, now: float) -> bool:
        """Raise those whose time has come; whether all run."""
        states = [one.state() for one in self._crew]
        for member, state in zip(self._crew, states, strict=True):
            if state is State.DEAD:
                self._see_to_dead(member, now)
            elif state is State.FROZEN:
                self._see_to_frozen(member, now)
        return all(state is State.RUNS for state in states)

    def _see_to_dead(self, member: Member, now: float) -> None:
        hand = self._hands[member.name]
        if hand.raise_at is None:
            self.kills += 1
            self._tell(f"{member.identity} is dead")
            hand.raise_at = now + self._draw.uniform(*self._scenario.raised_after)
            hand.frozen_at = None
        elif now >= hand.raise_at:
            hand.raise_at = None
            has_orders = isinstance(member, Controller)
            orders = next(self._later, Orders()) if has_orders else Orders()
            member.start(self.orders(orders))
            self._tell(f"{member.identity} was started")

    def _see_to_frozen(self, member: Member, now: float) -> None:
        hand = self._hands[member.name]
        if hand.frozen_at is None:
            self.stops += 1
            self._tell(f"{member.identity} is frozen")
            hand.frozen_at = now
        elif hand.raise_at is None:
            if self._is_passed_by(member, now - hand.frozen_at):
                hand.raise_at = now + self._draw.uniform(0, 1)
        elif now >= hand.raise_at:
            self._tell(f"{member.identity} goes on")
            hand.frozen_at = hand.raise_at = None
            member.send("CONT")

    def _is_passed_by(self, member: Member, seconds: float) -> bool:
        """Whether others have gone on without a frozen process for long enough."""
        timings = Timings().scaled(SCALE)
        if self._scenario.outlasts_signature:
            return seconds > timings.resend_others_after + 3
        if self._scenario.has_two_leaders:
            return seconds > 1
        return self._holder(member) is not member or seconds > 10
