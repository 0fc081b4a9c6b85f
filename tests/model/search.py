"""The search: every state that can be reached, nearest first, until one breaks a property."""

import gc
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from model.machine import Machine, Step
from model.rules import Model
from model.state import Property, State

Progress = Callable[[int, int, float], None]
"""Told the states found, those still to be looked at, and the processor's seconds so far."""

_TELL_EVERY = 100_000


class TooMany(Exception):
    """More states than the search may hold."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found."""

    machine: Machine
    states: int
    steps: int
    depth: int
    """How many steps away the broken property is, or the farthest state."""
    actions: frozenset[str]
    """What was done at least once."""
    seconds: float
    """Of the processor."""
    broken: Property | None = None
    trace: tuple[Step, ...] = ()
    """The shortest way to the broken property."""


@dataclass(slots=True)
class _Graph:
    """All states found, numbered in the order in which they were."""

    states: list[State] = field(default_factory=list)
    numbers: dict[State, int] = field(default_factory=dict)
    parents: "array[int]" = field(default_factory=lambda: array("i"))
    begins: "array[int]" = field(default_factory=lambda: array("i"))
    """Where each state's ways on begin in `ways`."""
    ways: "array[int]" = field(default_factory=lambda: array("i"))
    """The states that follow without a fault."""
    steps: int = 0
    actions: set[str] = field(default_factory=set)

    def add(self, state: State, parent: int) -> int:
        """Number a new state."""
        number = self.numbers[state] = len(self.states)
        self.states.append(state)
        self.parents.append(parent)
        return number

    def chain(self, number: int) -> list[int]:
        """The states on the shortest way to this one, from the first."""
        found = []
        while number >= 0:
            found.append(number)
            number = self.parents[number]
        return found[::-1]


def search(
    model: Model,
    asked: frozenset[Property] = frozenset(Property),
    *,
    most: int = 50_000_000,
    progress: Progress | None = None,
) -> Outcome:
    """Look at every state; stop at the first that breaks a property asked for.

    Raises:
        TooMany: more states than `most` were found.
    """
    collects = gc.isenabled()
    gc.disable()  # nothing here is a cycle, and to look for one takes a third of the time
    try:
        return _Search(model, asked, most, progress).run()
    finally:
        if collects:
            gc.enable()


class _Search:
    def __init__(
        self, model: Model, asked: frozenset[Property], most: int, progress: Progress | None
    ) -> None:
        self._machine = Machine(model)
        self._asked = asked
        self._most = most
        self._progress = progress
        self._graph = _Graph()
        self._began = time.process_time()

    def run(self) -> Outcome:
        graph = self._graph
        graph.add(self._machine.first(), -1)
        for number, state in enumerate(graph.states):  # which grows as it is read
            graph.begins.append(len(graph.ways))
            for step in self._machine.steps(state):
                if step.broken in self._asked:
                    return self._broken(step.broken, (*self._way(number), step))
                if step.broken is not Property.ONE_JOB:
                    self._note(step, number)
            self._tell(number)
        graph.begins.append(len(graph.ways))
        stuck = self._stuck() if Property.WAY_ON in self._asked else None
        if stuck is not None:
            return self._broken(Property.WAY_ON, tuple(self._way(stuck)))
        return self._outcome(len(graph.chain(len(graph.states) - 1)) - 1)

    def _note(self, step: Step, number: int) -> None:
        graph = self._graph
        graph.steps += 1
        graph.actions.add(step.action)
        after = graph.numbers.get(step.state)
        if after is None:
            if len(graph.states) >= self._most:
                raise TooMany(f"more than {self._most:,} states")
            after = graph.add(step.state, number)
        if not step.is_fault:
            graph.ways.append(after)

    def _way(self, number: int) -> Iterator[Step]:
        """The steps from the first state to this one."""
        chain = [self._graph.states[each] for each in self._graph.chain(number)]
        for state, after in pairwise(chain):
            yield next(step for step in self._machine.steps(state) if step.state == after)

    def _stuck(self) -> int | None:
        """The nearest state from which no faultless way leads to where every task is settled."""
        graph, count = self._graph, len(self._graph.states)
        begins, sources = _reversed(graph.begins, graph.ways)
        reached = bytearray(map(self._machine.is_settled, graph.states))
        todo = [number for number in range(count) if reached[number]]
        while todo:
            number = todo.pop()
            for source in sources[begins[number] : begins[number + 1]]:
                if not reached[source]:
                    reached[source] = 1
                    todo.append(source)
        return next((number for number in range(count) if not reached[number]), None)

    def _broken(self, broken: Property | None, trace: tuple[Step, ...]) -> Outcome:
        return self._outcome(len(trace), broken, trace)

    def _outcome(
        self, depth: int, broken: Property | None = None, trace: tuple[Step, ...] = ()
    ) -> Outcome:
        states, steps = len(self._graph.states), self._graph.steps
        seconds = time.process_time() - self._began
        actions = frozenset(self._graph.actions)
        return Outcome(self._machine, states, steps, depth, actions, seconds, broken, trace)

    def _tell(self, number: int) -> None:
        if self._progress is not None and number % _TELL_EVERY == 0:
            found = len(self._graph.states)
            self._progress(found, found - number, time.process_time() - self._began)


def _reversed(begins: "array[int]", ways: "array[int]") -> "tuple[array[int], array[int]]":
    """The same graph with every way turned round."""
    count = len(begins) - 1
    into = array("i", bytes(4 * (count + 1)))
    for way in ways:
        into[way + 1] += 1
    for number in range(count):
        into[number + 1] += into[number]
    sources, at = array("i", bytes(4 * len(ways))), array("i", into)
    for number in range(count):
        for way in ways[begins[number] : begins[number + 1]]:
            sources[at[way]] = number
            at[way] += 1
    return into, sources
