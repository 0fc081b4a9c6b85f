"""Which jobs wait too long for their turn in AWS Batch's queue, and where they stand in it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from batchtask_controller.batch import Batch, BatchError, Job, JobStatus
from batchtask_controller.clock import Clock
from batchtask_controller.plan import LOOK_AT_PLACE_SECONDS, Turn
from batchtask_controller.store import Record
from batchtask_controller.workqueue import WorkQueue

log = logging.getLogger(__name__)

FRONT_LIFE = 60.0
"""Seconds for which a queue's front is good: no queue is asked more often."""


@dataclass(frozen=True, slots=True)
class _Front:
    """The front of a queue, or that it could not be had."""

    ids: Sequence[str] | None
    read_at: float


class Turns:
    """Tells of each waiting job since when it waits and where; asks for no more than is shown."""

    def __init__(
        self, *, batch: Batch, queue: WorkQueue, clock: Clock, limit_seconds: float
    ) -> None:
        """Find jobs blocked that are RUNNABLE for longer than the limit."""
        self._batch = batch
        self._queue = queue
        self._clock = clock
        self._limit = limit_seconds
        self._fronts: dict[str, _Front] = {}
        self._wanted: dict[str, set[str]] = {}
        """By job queue: the uids of the tasks that wait for its front."""
        self._some = asyncio.Event()

    def of(self, record: Record) -> Turn | None:
        """How the task's job waits, if it does; its place follows, with another look at it."""
        job, now = record.job, self._clock.now()
        waits = job is not None and job.status is JobStatus.RUNNABLE and record.is_live
        if job is None or not waits:
            record.runnable_since = record.place = None
            return None
        if record.runnable_since is None:
            record.runnable_since = _runnable_since(record, job, now)
        turn = Turn(record.runnable_since, self._limit)
        if not turn.is_over(now):
            return turn
        return Turn(turn.since, turn.limit_seconds, self._place(record, job))

    def _place(self, record: Record, job: Job) -> str | None:
        moment = self._clock.monotonic()
        if record.place is not None and moment - record.place_read_at < LOOK_AT_PLACE_SECONDS:
            return record.place
        queue = _queue_of(record)
        front = self._fronts.get(queue)
        if front is None or moment - front.read_at >= FRONT_LIFE:
            self._wanted.setdefault(queue, set()).add(record.task.metadata.uid)
            self._some.set()
            return record.place
        record.place, record.place_read_at = place(job.id, queue, front.ids), moment
        return record.place

    async def sweep(self) -> None:
        """Ask once for the front of each queue that a task waits for, once there is one."""
        await self._some.wait()
        self._some.clear()
        while self._wanted:
            queue, uids = self._wanted.popitem()
            self._fronts[queue] = _Front(await self._front(queue), self._clock.monotonic())
            for uid in uids:
                self._queue.add(uid)

    async def _front(self, queue: str) -> Sequence[str] | None:
        try:
            return await self._batch.snapshot(queue)
        except BatchError as error:
            # The place is an extra: tasks are blocked without it.
            log.warning("the front of job queue %s could not be read: %s", queue, error)
            return None


def place(job_id: str, queue: str, front: Sequence[str] | None) -> str:
    """Where a job stands, for people; empty where the front could not be had."""
    if front is None:
        return ""
    if job_id not in front:
        return f"not among the first 100 in queue {queue}"
    return f"position {front.index(job_id) + 1} of the first 100 in queue {queue}"


def _runnable_since(record: Record, job: Job, now: datetime) -> datetime:
    """AWS Batch doesn't tell; but what waits for no other job is RUNNABLE from the first."""
    if record.task.spec.job.get("dependsOn"):
        return now
    ends = [attempt.stopped_at for attempt in job.attempts if attempt.stopped_at is not None]
    return max([*ends, job.created_at] if job.created_at else ends, default=now)


def _queue_of(record: Record) -> str:
    submission = record.task.status.submission
    return submission.queue if submission else str(record.task.spec.job.get("jobQueue"))
