"""The audit: local Batch's jobs against the tasks, when everything is over."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from batchtask_api import Phase
from batchtask_local.batch.model import Job, Status

_UID = re.compile(r"-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+$")

Fate = Literal["runs", "cancelled", "deleted", "retained", "forgotten"]
"""What is done to a task; "forgotten" is by AWS: nobody can know any more how its job went."""


@dataclass(frozen=True, slots=True)
class Made:
    """A task that was created, and what was done to it since."""

    uid: str
    name: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class Audit:
    """What is wrong; each entry names the task or the job, for people."""

    duplicates: Sequence[str] = field(default_factory=list)
    lost: Sequence[str] = field(default_factory=list)
    orphans: Sequence[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether all that was promised is so."""
        return not (self.duplicates or self.lost or self.orphans)


def audit(made: Iterable[Made], tasks: Iterable[Mapping[str, Any]], jobs: Iterable[Job]) -> Audit:
    """Hold all jobs that ever took effect against all tasks that ever were."""
    now = {task["metadata"]["uid"]: task for task in tasks}
    by_task: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_task[task_uid(job)].append(job)
    duplicates, lost, orphans = [], [], []
    for one in made:
        theirs = by_task.pop(one.uid, [])
        if len(theirs) > 1:
            named = ", ".join(f"{job.id} ({job.spec.name}, {job.status})" for job in theirs)
            duplicates.append(f"{one.name} has {len(theirs)} jobs: {named}")
        if problem := _lost(one, now.get(one.uid), theirs):
            lost.append(f"{one.name} {problem}")
        if one.fate != "retained":
            orphans += [f"{job.id} of {one.name}" for job in theirs if not job.status.has_ended]
    orphans += [f"{job.id} of no task" for jobs in by_task.values() for job in jobs]
    return Audit(duplicates, lost, orphans)


def task_uid(job: Job) -> str:
    """The uid of the task that a job's name holds."""
    found = _UID.search(job.spec.name)
    return found.group(1) if found else ""


def is_over(one: Made, task: Mapping[str, Any] | None) -> bool:
    """Whether nothing more is to come of a task."""
    if one.fate in {"deleted", "retained"}:
        return task is None
    return task is None or _phase(task).is_finished


def _phase(task: Mapping[str, Any]) -> Phase:
    return Phase(task.get("status", {}).get("phase", Phase.PENDING))


def _lost(one: Made, task: Mapping[str, Any] | None, jobs: Sequence[Job]) -> str | None:
    """What a task came to, if it isn't what its job did."""
    if one.fate in {"deleted", "retained"}:
        return None if task is None else "was deleted and is still there"
    if task is None:
        return "is gone, and nobody deleted it"
    phase, ends = _phase(task), {end for job in jobs if (end := _end(job))}
    if one.fate == "forgotten":
        ends |= {Phase.LOST}
    if one.fate == "cancelled":
        ends |= {Phase.CANCELLED}
    if phase not in ends:
        submission = task.get("status", {}).get("submission")
        return f"is {phase}, its jobs say {sorted(ends)}; submission {submission}"
    return None


def _end(job: Job) -> Phase | None:
    """The phase that a job's end asks for."""
    ends = {Status.SUCCEEDED: Phase.SUCCEEDED, Status.FAILED: Phase.FAILED}
    return ends.get(job.status)
