"""What happens to a task outside the controllers: AWS, the network, the API server, a user."""

from collections.abc import Iterator

from model.controller import changed
from model.moves import Move, put_mind, take, write
from model.rules import Model
from model.state import NO_JOB, NOBODY, SEEN, Call, Mind, Request, Result, Stage, Task, Version

CLOSED = 99
"""A dead process's requests may arrive as long as their signatures live."""


def moves(task: Task, index: int, model: Model) -> Iterator[Move]:
    """What can happen next, the faults among it."""
    if task.job is not None and task.job != SEEN:
        yield Move("AWS", "shows the job", task._replace(job=SEEN))
    for request in task.requests:
        yield from _arrives(task, index, request, model)
    yield from _patched(task, index, model)
    now = task.versions[-1]
    if not now.cancel and not now.done:
        done = write(task, now._replace(cancel=True), None, index, model)
        yield Move("user", "cancels the task", done.task, "cancel", done.broken)


def _arrives(task: Task, index: int, request: Request, model: Model) -> Iterator[Move]:
    without = task._replace(requests=tuple(r for r in task.requests if r is not request))
    if request.signed > model.ticks.signature_life:
        refused = _reply(without, request, Result.UNSENT, NO_JOB)
        yield Move("AWS", "refuses the old signature", refused)
        return
    taken = take(without, request.number, model)
    after = _reply(taken.task, request, Result.JOB, index)
    yield Move("AWS", "takes the request", after, broken=taken.broken)
    if request.left is not None:
        return
    throttled = _reply(without, request, Result.UNSENT, NO_JOB)
    yield Move("AWS", "throttles the request", throttled, "refuse")
    rejected = _reply(without, request, Result.REJECTED, NO_JOB)
    yield Move("AWS", "rejects the request", rejected, "refuse")
    yield Move("network", "loses the request", without, "reply")


def _reply(task: Task, request: Request, result: Result, job: int) -> Task:
    """The answer, where anyone still waits for it."""
    if request.left is not None:
        return task
    process = request.by - 1
    call = Call(Stage.ANSWERED, request.number, result=result, job=job)
    return put_mind(task, process, task.minds[process]._replace(call=call))


def _patched(task: Task, index: int, model: Model) -> Iterator[Move]:
    for patch in task.late:
        rest = tuple(other for other in task.late if other is not patch)
        version = changed(task.versions[-1], patch.what, index, patch.intent)
        done = write(task._replace(late=rest), version, None, index, model)
        yield Move("API", f"takes the late patch ({patch.what})", done.task, None, done.broken)


def orphaned(task: Task, process: int, model: Model) -> Task:
    """The task after a process's end, without its memory; its requests go on by themselves."""
    own = process + 1
    versions = task.versions
    if model.rules.fresh_identity:
        versions = tuple(_disowned(version, own) for version in versions)
    requests = tuple(
        r._replace(by=NOBODY, left=CLOSED) if r.by == own and r.left is None else r
        for r in task.requests
    )
    return put_mind(task._replace(versions=versions, requests=requests), process, Mind())


def _disowned(version: Version, own: int) -> Version:
    intent = version.intent
    if intent is None or intent.by != own:
        return version
    return version._replace(intent=intent._replace(by=NOBODY))
