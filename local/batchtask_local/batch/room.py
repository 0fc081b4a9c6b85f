"""Who waits in which queue, and who holds how much room: plain accounts, no decisions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchtask_local.batch.model import ComputeEnvironment, Job
from batchtask_local.batch.scheduler import Line


@dataclass(frozen=True, slots=True)
class _Held:
    environment: str
    queue: str
    share: str
    millivcpus: int


class Room:
    """The lines before the queues, by ARN, and the vCPUs in use, in thousandths."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, Line] = defaultdict(Line)
        self._held: dict[str, _Held] = {}
        self._used: defaultdict[str, int] = defaultdict(int)
        self._used_by_share: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def wait(self, job: Job) -> None:
        """Put a job into its queue's line."""
        self._lines[job.spec.queue.arn].add(job)

    def leave(self, job: Job) -> None:
        """Take a job out of its queue's line, if it is in."""
        self._lines[job.spec.queue.arn].remove(job)

    def head(self, queue: str) -> int | None:
        """Return the number of the job that is next in a queue."""
        return self._lines[queue].head(self._used_by_share[queue])

    def first(self, queue: str, count: int) -> Sequence[int]:
        """Return the numbers of the first jobs of a queue."""
        return self._lines[queue].first(count)

    def take(self, job: Job, environment: ComputeEnvironment) -> None:
        """Note that a job holds room in an environment."""
        spec = job.spec
        held = _Held(environment.arn, spec.queue.arn, spec.share or "", spec.container.millivcpus)
        self._held[job.id] = held
        self._count(held, held.millivcpus)

    def give_back(self, job: Job) -> None:
        """Note that a job holds no room any more."""
        held = self._held.pop(job.id)
        self._count(held, -held.millivcpus)

    @property
    def used(self) -> Mapping[str, int]:
        """What is in use, by the environment's ARN."""
        return self._used

    def used_by_share(self, queue: str) -> Mapping[str, int]:
        """Return what a queue's jobs use, by share; all of a queue without shares is "" ."""
        return self._used_by_share[queue]

    def _count(self, held: _Held, millivcpus: int) -> None:
        self._used[held.environment] += millivcpus
        shares = self._used_by_share[held.queue]
        shares[held.share] = shares.get(held.share, 0) + millivcpus
        if not shares[held.share]:
            del shares[held.share]
