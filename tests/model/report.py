"""A search's outcome, and the way to a broken property, as text."""

from collections.abc import Iterator

from model.machine import Machine
from model.rules import Faults, Model
from model.search import Outcome
from model.state import NAMES, NO_JOB, SEEN, Lead, Mind, Result, State, Task, Version


def faults(model: Model) -> str:
    """What a model has of faults, in short."""
    named = [f"{name}={count}" for name, count in zip(Faults._fields, model.faults, strict=True)]
    some = [text for text in named if not text.endswith("=0")]
    extra = [f"tasks={model.tasks}"] if model.tasks > 1 else []
    extra += [f"stale={model.stale}"] if model.stale > 1 else []
    extra += ["fine"] if model.fine else []
    return " ".join([*some, *extra]) or "none"


def summary(outcome: Outcome) -> str:
    """What was found, in one line."""
    found = f"broken: {outcome.broken}" if outcome.broken else "kept"
    return (
        f"{outcome.states:>10,} states {outcome.steps:>11,} steps {outcome.depth:>3} deep "
        f"{outcome.seconds:7.1f} s  {found}"
    )


def trace(outcome: Outcome) -> Iterator[str]:
    """The way to the broken property, a line a step: who, what, and what there is then."""
    for number, step in enumerate(outcome.trace, 1):
        about = f" (task {step.which})" if step.which and len(step.state.tasks) > 1 else ""
        fault = "!" if step.is_fault else " "
        after = shown(outcome.machine, step.state)
        yield f"{number:>4} {fault} {step.who:<7} {step.action + about:<36} {after}"
    if outcome.trace:
        yield f"     → broken: {outcome.broken}"


def shown(machine: Machine, state: State) -> str:
    """A state in one line."""
    return " || ".join(_task(machine.task(number), state) for number in state.tasks)


def _task(task: Task, state: State) -> str:
    return " | ".join(
        [_status(task), *_minds(task, state), *_requests(task), *_jobs(task)],
    )


def _status(task: Task) -> str:
    now = task.versions[-1]
    words = []
    if now.intent is not None:
        writer = NAMES[now.intent.by - 1] if now.intent.by else "one that is dead"
        words.append(f"intent of {writer}, age {now.intent.age}")
    if now.job != NO_JOB:
        words.append("job id")
    if now.cancel:
        words.append("cancelled")
    if now.done:
        words.append("ended")
    return "status: " + (", ".join(words) or "empty")


def _minds(task: Task, state: State) -> Iterator[str]:
    now = task.versions[-1]
    for name, process, mind in zip(NAMES, state.processes, task.minds, strict=True):
        if not process.alive:
            yield f"{name} dead"
        elif process.lead is not Lead.NO or mind.call is not None:
            yield f"{name} {', '.join(_doing(mind, now)) or process.lead}"


def _doing(mind: Mind, now: Version) -> Iterator[str]:
    if mind.call is not None:
        result = f": {mind.call.result}" if mind.call.result is not Result.NONE else ""
        yield f"{mind.call.stage}{result}"
    if mind.behind:
        yield f"view {mind.behind} behind"
    if now.intent is not None and now.intent.number in mind.unsent:
        yield "holds it for unsent"
    if mind.sent != NO_JOB:
        yield "knows the job"


def _requests(task: Task) -> Iterator[str]:
    for request in task.requests:
        yield f"request under way, signed {request.signed} ago"
    for patch in task.late:
        yield f"{patch.what} patch under way"


def _jobs(task: Task) -> Iterator[str]:
    if task.job is not None:
        yield "job" if task.job == SEEN else "job, not visible"
