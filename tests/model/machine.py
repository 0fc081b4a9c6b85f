"""All that can happen next in a state: tasks, processes, the Lease and time put together."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from model import controller, surroundings
from model.ageing import older
from model.controller import Place
from model.moves import Move, put_mind
from model.rules import Faults, Model
from model.settle import settle
from model.state import (
    NAMES,
    NO_JOB,
    NOBODY,
    SEEN,
    Lead,
    Process,
    Processes,
    Property,
    State,
    Task,
)


class Step(NamedTuple):
    """One thing that can happen."""

    who: str
    action: str
    state: State
    is_fault: bool = False
    broken: Property | None = None
    which: int | None = None
    """Which task it happens to, if to one alone."""


class _Kept(NamedTuple):
    """A move whose task is kept under its number."""

    who: str
    action: str
    task: int
    fault: str | None
    broken: Property | None


class Machine:
    """The model's steps. What can happen to a task alone is worked out once and remembered."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._tasks: list[Task] = []
        self._numbers: dict[Task, int] = {}
        self._moves: dict[tuple[int, int, Processes, int], list[_Kept]] = {}
        self._later: dict[tuple[int, Processes], int] = {}

    def first(self) -> State:
        """Tasks just made; A leads, B stands by (or both lead, where there is no Lease)."""
        second = Lead.NO if self.model.rules.lease else Lead.YES
        processes = (Process(Lead.YES), Process(second))
        task = self._number(Task(), processes)
        return State(processes, 1, self.model.faults, (task,) * self.model.tasks)

    def task(self, number: int) -> Task:
        """The task kept under that number."""
        return self._tasks[number]

    def is_settled(self, state: State) -> bool:
        """Whether every task shows its job or its end."""
        return all(self._tasks[number].is_settled for number in state.tasks)

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that can happen next."""
        for index in range(len(state.tasks)):
            yield from self._task_steps(state, index)
        for process in range(len(NAMES)):
            yield from self._life(state, process)
            yield from self._lease(state, process)
        later = tuple(self._a_tick_later(number, state.processes) for number in state.tasks)
        if later != state.tasks:
            yield Step("time", "passes", state._replace(tasks=later))

    # -- tasks -----------------------------------------------------------------------------------

    def _number(self, task: Task, processes: Processes) -> int:
        settled = settle(task, processes, self.model)
        number = self._numbers.setdefault(settled, len(self._tasks))
        if number == len(self._tasks):
            self._tasks.append(settled)
        return number

    def _task_steps(self, state: State, index: int) -> Iterator[Step]:
        key = (state.tasks[index], index, state.processes, self._elsewhere(state, index))
        moves = self._moves.get(key)
        if moves is None:
            moves = self._moves[key] = list(self._worked_out(*key))
        processes, holder, faults, all_tasks = state
        for who, action, task, fault, broken in moves:
            tasks = (*all_tasks[:index], task, *all_tasks[index + 1 :])
            if fault is None:
                after = State(processes, holder, faults, tasks)
                yield Step(who, action, after, False, broken, index)
            elif getattr(faults, fault):
                after = State(processes, holder, spent(faults, fault), tasks)
                yield Step(who, action, after, True, broken, index)

    def _worked_out(
        self, number: int, index: int, processes: Processes, elsewhere: int
    ) -> Iterator[_Kept]:
        task = self._tasks[number]
        for move in self._all(task, index, processes, elsewhere):
            after = self._number(move.task, processes)
            if after != number or move.broken is not None:
                yield _Kept(move.who, move.action, after, move.fault, move.broken)

    def _all(self, task: Task, index: int, processes: Processes, elsewhere: int) -> Iterator[Move]:
        for process, actor in enumerate(processes):
            place = Place(process, actor, index, elsewhere)
            yield from controller.moves(task, place, self.model)
        yield from surroundings.moves(task, index, self.model)

    def _elsewhere(self, state: State, index: int) -> int:
        if self.model.rules.uid_in_name:
            return NO_JOB
        others = (i for i, n in enumerate(state.tasks) if i != index and self._tasks[n].job == SEEN)
        return next(others, NO_JOB)

    def _a_tick_later(self, number: int, processes: Processes) -> int:
        key = (number, processes)
        later = self._later.get(key)
        if later is None:
            task = older(self._tasks[number], processes, self.model)
            later = self._later[key] = self._number(task, processes)
        return later

    # -- processes -------------------------------------------------------------------------------

    def _life(self, state: State, process: int) -> Iterator[Step]:
        actor, name = state.processes[process], NAMES[process]
        if not actor.alive:
            lead = Lead.NO if self.model.rules.lease else Lead.YES
            yield Step(name, "starts anew", self._become(state, process, Process(lead)))
            return
        if state.faults.crash:
            dead = self._become(_let_go(state, process), process, Process(alive=False))
            yield Step(name, "is killed", _after(dead, "crash"), is_fault=True)
        if actor.paused:
            on = self._become(state, process, actor._replace(paused=False))
            yield Step(name, "goes on", on)
        elif state.faults.pause:
            still = self._become(_let_go(state, process), process, actor._replace(paused=True))
            yield Step(name, "stands still, its clock too", _after(still, "pause"), is_fault=True)

    def _lease(self, state: State, process: int) -> Iterator[Step]:
        actor, name = state.processes[process], NAMES[process]
        if not self.model.rules.lease or not actor.alive or actor.paused:
            return
        if actor.lead is Lead.YES:
            yield from self._losing(state, process)
            return
        if actor.lead is Lead.STALE:
            stopped = self._become(state, process, actor._replace(lead=Lead.NO))
            yield Step(name, "stops to act", stopped)
        if state.holder == NOBODY:
            taken = state._replace(holder=process + 1)
            leader = actor._replace(lead=Lead.YES)
            listed = actor.lead is Lead.NO and self.model.rules.list_at_take_over
            action = "takes the Lease and lists" if listed else "takes the Lease"
            yield Step(name, action, self._become(taken, process, leader, listed=listed))

    def _losing(self, state: State, process: int) -> Iterator[Step]:
        name = NAMES[process]
        stale = state.processes[process]._replace(lead=Lead.STALE)
        if state.holder != process + 1:
            yield Step(name, "sees that another leads", self._become(state, process, stale))
        elif state.faults.lease:
            lost = self._become(_let_go(state, process), process, stale)
            yield Step(name, "is frozen past its Lease", _after(lost, "lease"), is_fault=True)

    def _become(self, state: State, process: int, actor: Process, *, listed: bool = False) -> State:
        """The state with the process so, and every task as it then is."""
        a, b = state.processes
        processes = (a, actor) if process else (actor, b)
        tasks = []
        for number in state.tasks:
            task = self._tasks[number]
            if not actor.alive:
                task = surroundings.orphaned(task, process, self.model)
            if listed:
                task = put_mind(task, process, task.minds[process]._replace(behind=0))
            tasks.append(self._number(task, processes))
        return state._replace(processes=processes, tasks=tuple(tasks))


@cache
def spent(faults: Faults, fault: str | None) -> Faults:
    """The faults that may still happen after one of that kind."""
    if fault is None:
        return faults
    return faults._replace(**{fault: getattr(faults, fault) - 1})


def _after(state: State, fault: str) -> State:
    return state._replace(faults=spent(state.faults, fault))


def _let_go(state: State, process: int) -> State:
    """Others may take the Lease: it is not renewed."""
    return state._replace(holder=NOBODY) if state.holder == process + 1 else state
