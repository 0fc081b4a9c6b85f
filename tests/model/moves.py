"""What can happen to one task, and what a write or an arrival makes of it."""

from typing import NamedTuple

from model.rules import Model
from model.state import NO_JOB, SEEN, Mind, Property, Task, Version


class Move(NamedTuple):
    """One thing that can happen to one task."""

    who: str
    action: str
    task: Task
    fault: str | None = None
    """The kind of fault that it is."""
    broken: Property | None = None


class Written(NamedTuple):
    """A task after a write, and the property that the write broke."""

    task: Task
    broken: Property | None = None


def put_mind(task: Task, process: int, mind: Mind) -> Task:
    """The task with another record of it in a process's store."""
    a, b = task.minds
    return task._replace(minds=(a, mind) if process else (mind, b))


def write(task: Task, version: Version, writer: int | None, own: int, model: Model) -> Written:
    """A write that the API server took: a new version, which the writer alone has seen.

    Args:
        task: the task before.
        version: what stands there now.
        writer: the process that got the answer, if any did.
        own: the task's own index.
        model: says whether patches carry a version: then all that are under way come too late.
    """
    was = task.versions[-1]
    a, b = (
        mind._replace(behind=0)
        if process == writer
        else mind._replace(behind=mind.behind + 1, overtaken=mind.call is not None)
        for process, mind in enumerate(task.minds)
    )
    after = task._replace(
        versions=(*task.versions, version),
        minds=(a, b),
        late=() if model.rules.compare_and_swap else task.late,
    )
    return Written(after, _broken_by(was, version, task.job, own))


def _broken_by(was: Version, version: Version, job: int | None, own: int) -> Property | None:
    if was.done and not version.done:
        return Property.END_IS_END
    if version.job not in {NO_JOB, own}:
        return Property.OWN_JOB
    if version.done and version.job == NO_JOB and job is not None:
        return Property.NO_ORPHAN
    return None


def take(task: Task, number: int, model: Model) -> Written:
    """AWS takes a request of that intent: there is a job, or one more."""
    now = task.versions[-1]
    if task.job is not None:
        return Written(task, Property.ONE_JOB)
    after = task._replace(job=0 if model.lag > 0 else SEEN)
    if now.done:
        return Written(after, Property.NO_ORPHAN)
    if now.intent is None or now.intent.number != number:
        return Written(after, Property.INTENT_STANDS)
    return Written(after)
