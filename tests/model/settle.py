"""A task without what can make no difference any more, so that equals are equal."""

from collections.abc import Sequence

from model.rules import Model
from model.state import NO_JOB, Call, Intent, Late, Lead, Mind, Process, Processes, Task, Version


def settle(task: Task, processes: Processes, model: Model) -> Task:
    """The same task, smaller."""
    versions, (first, second), requests, late, job = task
    if model.rules.compare_and_swap and _is_over(task):
        return Task((versions[-1]._replace(intent=None),), job=job)
    a, b = _viewed(first, processes[0], model), _viewed(second, processes[1], model)
    kept = max(a.behind, b.behind)
    if not model.rules.store_never_goes_back:
        kept = model.stale
    if kept + 1 < len(versions):
        versions = versions[-kept - 1 :]
    minds = (_plain(a, 1, versions, late), _plain(b, 2, versions, late))
    return _renumbered(Task(versions, minds, requests, late, job))


def _is_over(task: Task) -> bool:
    """Whether it shows its job or end and nothing is under way that could change that."""
    a, b = task.minds
    under_way = task.requests or task.late or a.call is not None or b.call is not None
    return not under_way and task.is_settled


def _viewed(mind: Mind, process: Process, model: Model) -> Mind:
    """No view is staler than the bound; who reads the cluster before it acts needs none."""
    idle = mind.call is None and process.lead is Lead.NO and model.rules.list_at_take_over
    behind = 0 if idle or not process.alive else min(mind.behind, model.stale)
    return mind if behind == mind.behind else mind._replace(behind=behind)


def _plain(mind: Mind, own: int, versions: Sequence[Version], late: Sequence[Late]) -> Mind:
    """The record without what its view has made pointless."""
    behind, sent, unsent, since, call, overtaken = mind
    view = versions[-1 - behind]
    if call is None and (view.job != NO_JOB or view.done):
        return Mind(behind)
    if not unsent and (since is None or call is not None):
        return mind if call is not None or not overtaken else mind._replace(overtaken=False)
    intents = _standing(versions[-1 - behind :], late)
    is_own = call is not None or any(intent.by == own for intent in intents)
    standing = {intent.number for intent in intents}
    return Mind(
        behind,
        sent,
        tuple(number for number in unsent if number in standing),
        since if is_own else None,
        call,
        overtaken and call is not None,
    )


def _standing(versions: Sequence[Version], late: Sequence[Late]) -> list[Intent]:
    """The intents that a process may still meet."""
    intents = [version.intent for version in versions if version.intent is not None]
    return intents + [patch.intent for patch in late if patch.intent is not None]


def numbers(task: Task) -> set[int]:
    """The intents that something still speaks of."""
    found = {intent.number for intent in _standing(task.versions, task.late)}
    for mind in task.minds:
        if mind.call is not None:
            found.add(mind.call.number)
    for request in task.requests:
        found.add(request.number)
    return found


def _renumbered(task: Task) -> Task:
    """The same with intents numbered from 1: only which is which matters."""
    found = numbers(task)
    if not found or max(found) == len(found):
        return task
    new = {number: place for place, number in enumerate(sorted(found), 1)}
    versions, (a, b), requests, late, job = task
    return Task(
        tuple(_version(version, new) for version in versions),
        (_mind(a, new), _mind(b, new)),
        tuple(request._replace(number=new[request.number]) for request in requests),
        tuple(
            patch
            if patch.intent is None
            else patch._replace(intent=patch.intent._replace(number=new[patch.intent.number]))
            for patch in late
        ),
        job,
    )


def _version(version: Version, new: dict[int, int]) -> Version:
    if version.intent is None:
        return version
    return version._replace(intent=version.intent._replace(number=new[version.intent.number]))


def _mind(mind: Mind, new: dict[int, int]) -> Mind:
    call: Call | None = mind.call
    if call is not None:
        call = call._replace(number=new[call.number])
    return mind._replace(unsent=tuple(new[number] for number in mind.unsent), call=call)
