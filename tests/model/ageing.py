"""What a tick makes of a task: everything that is counted grows older, up to where it matters."""

from model.rules import Model
from model.state import (
    SEEN,
    Call,
    Intent,
    Mind,
    Process,
    Processes,
    Request,
    Stage,
    Task,
    Version,
)
from model.surroundings import CLOSED


def older(task: Task, processes: Processes, model: Model) -> Task:
    """The task a tick later."""
    a, b = task.minds
    return task._replace(
        versions=tuple(_version(version, model) for version in task.versions),
        minds=(_mind(a, processes[0], model), _mind(b, processes[1], model)),
        requests=tuple(_request(r, model) for r in task.requests if r.left is None or r.left > 0),
        late=tuple(patch._replace(intent=_intent(patch.intent, model)) for patch in task.late),
        job=_job(task.job, model),
    )


def _version(version: Version, model: Model) -> Version:
    return version._replace(intent=_intent(version.intent, model))


def _intent(intent: Intent | None, model: Model) -> Intent | None:
    if intent is None:
        return None
    return intent._replace(age=min(intent.age + 1, model.ticks.intent_life))


def _mind(mind: Mind, process: Process, model: Model) -> Mind:
    """A process whose machine stands still sees no time pass; AWS and the wall clock do."""
    runs = 0 if process.paused else 1
    since = mind.since
    if since is not None:
        since = min(since + runs, model.own_wait)
    call = mind.call if mind.call is None else _call(mind.call, runs, model)
    return mind._replace(since=since, call=call)


def _call(call: Call, runs: int, model: Model) -> Call:
    late, dead = model.ticks.send_deadline + 1, model.ticks.signature_life + 1
    match call.stage:
        case Stage.PASSED:
            return call._replace(signed=min(call.signed + 1, dead))
        case Stage.ANNOUNCED | Stage.SIGNED:
            signed = 0 if call.stage is Stage.ANNOUNCED else min(call.signed + 1, dead)
            held, wall = min(call.held + runs, late), min(call.wall + 1, late)
            return call._replace(held=held, wall=wall, signed=signed)
        case _:
            return call


def _request(request: Request, model: Model) -> Request:
    left = request.left
    if left is not None and left != CLOSED:
        left -= 1
    signed = min(request.signed + 1, model.ticks.signature_life + 1)
    return request._replace(signed=signed, left=left)


def _job(job: int | None, model: Model) -> int | None:
    if job is None or job == SEEN:
        return job
    return SEEN if job + 1 >= model.lag else job + 1
