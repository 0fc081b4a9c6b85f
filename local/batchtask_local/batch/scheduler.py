"""Who runs next, and where: the order of a queue, and the room in its compute environments."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from batchtask_local.batch.model import ComputeEnvironment, Container, Job

MAX_RESOURCE = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
RESOURCE_REQUIREMENT = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
STUCK = {
    MAX_RESOURCE: (
        f"{MAX_RESOURCE} - CE(s) associated with the job queue cannot meet the CPU requirement "
        "of the job."
    ),
    RESOURCE_REQUIREMENT: (
        f"{RESOURCE_REQUIREMENT} - The job resource requirement (vCPU/memory/GPU) is higher than "
        "that can be met by the CE(s) attached to the job queue."
    ),
}
"""What AWS says of the job at a queue's head that no environment can ever take."""


@dataclass(frozen=True, slots=True)
class Placed:
    """There is room in this environment."""

    environment: ComputeEnvironment


@dataclass(frozen=True, slots=True)
class Full:
    """There will be room once other jobs have ended."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """There never will be room; the reason is a key of STUCK."""

    reason: str


Fit = Placed | Full | Stuck


def place(
    container: Container,
    environments: Iterable[ComputeEnvironment],
    used: Mapping[str, int],
    instance_memory_mib: int | None = None,
) -> Fit:
    """Find the first of a queue's environments that has room.

    Args:
        container: what needs room.
        environments: the queue's, in its order; disabled ones take nothing.
        used: thousandths of vCPUs in use, by the environment's ARN.
        instance_memory_mib: the largest machine's memory, None for no limit; none has a GPU.
    """
    enabled = [environment for environment in environments if environment.enabled]
    if not enabled:
        return Full()
    too_much_memory = instance_memory_mib is not None and container.memory_mib > instance_memory_mib
    if container.gpus or too_much_memory:
        return Stuck(RESOURCE_REQUIREMENT)
    if all(container.millivcpus > environment.millivcpus for environment in enabled):
        return Stuck(MAX_RESOURCE)
    for environment in enabled:
        if used.get(environment.arn, 0) + container.millivcpus <= environment.millivcpus:
            return Placed(environment)
    return Full()


class Line:
    """The RUNNABLE jobs of one queue, in the order in which they are to start.

    First come, first served: the head blocks the rest, as in AWS. Of a fair-share queue, the
    share that uses the fewest vCPUs is next, and in it the highest scheduling priority.
    """

    def __init__(self) -> None:
        self._shares: dict[str, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._shares.values()))

    def add(self, job: Job) -> None:
        """Put a job into its place."""
        insort(self._shares.setdefault(_share(job), []), _key(job))

    def remove(self, job: Job) -> None:
        """Take a job out, whether or not it is in."""
        keys = self._shares.get(_share(job), [])
        position = bisect_left(keys, _key(job))
        if position < len(keys) and keys[position] == _key(job):
            del keys[position]
        if not keys:
            self._shares.pop(_share(job), None)

    def head(self, used: Mapping[str, int]) -> int | None:
        """Return the number of the job to start next, given what each share uses."""
        if not self._shares:
            return None
        share = min(self._shares, key=lambda name: (used.get(name, 0), self._shares[name][0]))
        return self._shares[share][0][1]

    def first(self, count: int) -> Sequence[int]:
        """Return the numbers of the first jobs, in order of priority and age."""
        return [number for _, number in islice(merge(*self._shares.values()), count)]


def _share(job: Job) -> str:
    return job.spec.share or ""


def _key(job: Job) -> tuple[int, int]:
    return (-job.spec.scheduling_priority if job.spec.share else 0, job.number)
