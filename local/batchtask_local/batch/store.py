"""All jobs, with an index for each way in which the API asks for them."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from batchtask_local.batch.model import Job, Status

_LAST = 1 << 62
"""A number that no job reaches."""


@dataclass(slots=True)
class _Group:
    """The jobs of one queue, or the children of one array: their numbers, ascending."""

    numbers: list[int] = field(default_factory=list)
    by_status: defaultdict[Status, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_definition: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    names: list[tuple[str, int]] = field(default_factory=list)
    """Case-folded names with their numbers, in the order of names."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first, and the number that the next part lies below."""

    jobs: Sequence[Job]
    before: int | None


class JobStore:
    """Jobs by id, and by queue or parent, status, name, definition and time.

    No look-up goes through all jobs; those by a wide name prefix go through what it matches.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._ids: dict[int, str] = {}
        self._groups: defaultdict[str, _Group] = defaultdict(_Group)
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def next_number(self) -> int:
        """Return the number of the next job to be added."""
        self._last_number += 1
        return self._last_number

    def get(self, job_id: str) -> Job | None:
        """Return a job by its id."""
        return self._jobs.get(job_id)

    def numbered(self, number: int) -> Job:
        """Return a job by its number."""
        return self._jobs[self._ids[number]]

    def add(self, job: Job) -> None:
        """Take in a new job, the newest of its group."""
        group = self._group_of(job)
        self._jobs[job.id] = job
        self._ids[job.number] = job.id
        group.numbers.append(job.number)
        group.by_definition[job.spec.definition.arn].append(job.number)
        insort(group.by_status[job.status], job.number)
        insort(group.names, (job.spec.name.casefold(), job.number))

    def replace(self, job: Job) -> None:
        """Take in a job's new state."""
        old = self._jobs[job.id]
        self._jobs[job.id] = job
        if old.status is not job.status:
            by_status = self._group_of(job).by_status
            numbers = by_status[old.status]
            del numbers[bisect_left(numbers, job.number)]
            insort(by_status[job.status], job.number)

    def of_queue(self, queue: str) -> list[Job]:
        """Return the jobs of a queue (by ARN), oldest first; children aren't among them."""
        return [self.numbered(number) for number in self._groups[queue].numbers]

    def children(self, parent: str) -> list[Job]:
        """Return the children of an array, by index."""
        return [self.numbered(number) for number in self._groups[parent].numbers]

    def counts(self, group: str) -> dict[Status, int]:
        """Return how many jobs of a queue or an array are in each state."""
        return {status: len(found) for status, found in self._groups[group].by_status.items()}

    def with_status(self, group: str, status: Status) -> list[int]:
        """Return the numbers of a group's jobs in one state."""
        return self._groups[group].by_status[status]

    def named(self, group: str, pattern: str) -> list[int]:
        """Return the numbers of jobs by name, in any case; a trailing `*` matches any rest."""
        names = self._groups[group].names
        wanted = pattern.casefold()
        if wanted.endswith("*"):
            prefix = wanted[:-1]
            start = bisect_left(names, (prefix, 0))
            stop = bisect_left(names, (prefix + chr(0x10FFFF), 0)) if prefix else len(names)
        else:
            start, stop = bisect_left(names, (wanted, 0)), bisect_right(names, (wanted, _LAST))
        return sorted(number for _, number in names[start:stop])

    def defined_by(self, group: str, pattern: str) -> list[int]:
        """Return the numbers of jobs by definition: an ARN, a name, or a name's start and `*`."""
        by_definition = self._groups[group].by_definition
        if pattern.startswith("arn:"):
            return by_definition.get(pattern, [])
        found: list[int] = []
        for arn, numbers in by_definition.items():
            name = arn.rpartition("/")[2].rpartition(":")[0]
            if name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern:
                found += numbers
        return sorted(found)

    def created(
        self, group: str, *, before: int | None = None, after: int | None = None
    ) -> list[int]:
        """Return the numbers of jobs made before or after a time in ms, both exclusive."""
        numbers = self._groups[group].numbers
        start, stop = 0, len(numbers)
        if before is not None:
            stop = bisect_left(numbers, before, key=self._created_at)
        if after is not None:
            start = bisect_right(numbers, after, key=self._created_at)
        return numbers[start:stop]

    def page(self, numbers: Sequence[int], before: int | None, size: int, now: int) -> Page:
        """Return at most so many of these jobs, newest first, leaving out invisible ones."""
        stop = len(numbers) if before is None else bisect_left(numbers, before)
        jobs: list[Job] = []
        for position in range(stop - 1, -1, -1):
            job = self.numbered(numbers[position])
            if not job.is_visible(now):
                continue
            if len(jobs) == size:
                return Page(jobs, jobs[-1].number)
            jobs.append(job)
        return Page(jobs, None)

    def _group_of(self, job: Job) -> _Group:
        return self._groups[job.parent or job.spec.queue.arn]

    def _created_at(self, number: int) -> int:
        return self.numbered(number).created_at
