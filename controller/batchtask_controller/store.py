"""What the controller knows of every task: one record each, keyed by uid, that never goes back."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from batchtask_api import BatchTask, Phase, Submission
from batchtask_controller.batch import Job, JobRef


@dataclass(slots=True, eq=False)
class Record:
    """One task: as the cluster last showed it, and what the controller alone knows of it."""

    task: BatchTask
    job: Job | None = None
    """As last described."""
    absent_sweeps: int = 0
    sent: list[JobRef] = field(default_factory=list)
    """Jobs that are known to be this task's: own echoes arrive late and old, this never forgets."""
    unsent: set[Submission] = field(default_factory=set)
    """The intents that are proven to have led to no job: any of them may still show up here."""
    sent_at: float | None = None
    """When the last send went out, by this process's monotonic clock."""
    look_ups: int = 0
    asked_at: float | None = None
    """When AWS was first asked what became of the job, or to end it, by the same clock."""
    ask_again_at: float = float("-inf")
    """When AWS may be asked about this task again, by the same clock."""
    runnable_since: datetime | None = None
    """Since when the job waits for its turn in AWS Batch's queue, by the wall clock."""
    place: str | None = None
    """Where in the queue, as last shown; None: not read yet."""
    place_read_at: float = float("-inf")
    workload_tries: int = 0
    refusals: int = 0
    """How often in a row AWS denied or could not serve a call for this task."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever acts on the task."""

    @property
    def job_id(self) -> str | None:
        """From the status, or from the memory of the send that it doesn't show yet."""
        if self.task.status.job_id is not None:
            return self.task.status.job_id
        return self.sent[0].id if self.sent else None

    @property
    def job_arn(self) -> str | None:
        """From wherever it is known."""
        arns = [self.task.status.job_arn, self.job.arn if self.job else None]
        return next((arn for arn in [*arns, *(job.arn for job in self.sent)] if arn), None)

    @property
    def intent_is_open(self) -> bool:
        """Whether an intent stands in the status whose outcome isn't known."""
        submission = self.task.status.submission
        return submission is not None and self.job_id is None and submission not in self.unsent

    def stands(self, submission: Submission) -> bool:
        """Whether the task still waits for what becomes of this very intent.

        A process that was frozen in a call may wake to a task that another has taken on: what the
        call came to must not be written over that.
        """
        status = self.task.status
        return status.submission == submission and not status.phase.is_finished

    @property
    def is_live(self) -> bool:
        """Whether its job is to be watched."""
        return self.job_id is not None and not self.task.status.phase.is_finished


class Store:
    """All tasks of the watch's scope."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def observe(self, task: BatchTask) -> bool:
        """Take in a task from a list or the watch; whether that was news."""
        uid = task.metadata.uid
        record = self._records.get(uid)
        if record is None:
            self._records[uid] = Record(task)
            return True
        if _age(task) <= _age(record.task):
            return False
        record.task = task
        return True

    def refresh(self, task: BatchTask) -> None:
        """Take in the answer to a write of our own; a task that is gone stays gone."""
        if task.metadata.uid in self._records:
            self.observe(task)

    def forget_jobs(self) -> None:
        """Believe nothing that was seen of jobs: another controller may have seen more since."""
        for record in self._records.values():
            record.job = None
            record.absent_sweeps = 0

    def forget(self, uid: str) -> None:
        """The task is gone from the cluster."""
        self._records.pop(uid, None)

    def get(self, uid: str) -> Record | None:
        """The task's record, while the task is there."""
        return self._records.get(uid)

    def uids(self) -> tuple[str, ...]:
        """Every task's uid."""
        return tuple(self._records)

    def records(self) -> tuple[Record, ...]:
        """Every task's record."""
        return tuple(self._records.values())

    def live(self) -> Iterator[Record]:
        """The records whose jobs are to be watched."""
        return (record for record in tuple(self._records.values()) if record.is_live)

    def count(self, phase: Phase) -> int:
        """How many tasks are in a phase."""
        return sum(record.task.status.phase is phase for record in self._records.values())

    def __len__(self) -> int:
        return len(self._records)


def _age(task: BatchTask) -> int:
    """The API server's own order of versions (comparable as numbers by KEP-5504)."""
    return int(task.metadata.resource_version or 0)
