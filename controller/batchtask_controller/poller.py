"""The sweep over all live jobs: a hundred a call, spread evenly over its interval."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from batchtask_controller.batch import Batch, BatchError, Job
from batchtask_controller.clock import Clock
from batchtask_controller.store import Record, Store
from batchtask_controller.timings import ABSENT_SWEEPS
from batchtask_controller.workqueue import WorkQueue

log = logging.getLogger(__name__)

JOBS_A_CALL = 100
"""DescribeJobs takes no more."""

FULL_SPEED = 5_000
"""Live jobs up to which the interval is the configured one; beyond, it grows with their number."""


def interval(configured_seconds: float, live: int) -> float:
    """How long a sweep over so many live jobs takes."""
    return configured_seconds * max(1.0, live / FULL_SPEED)


class Poller:
    """Describes live jobs and has the tasks looked at whose jobs have changed."""

    def __init__(
        self,
        *,
        batch: Batch,
        store: Store,
        is_ours: Callable[[Record], bool],
        queue: WorkQueue,
        clock: Clock,
        interval_seconds: float,
    ) -> None:
        """Sweep over the store's tasks whose jobs are in the account and region asked."""
        self._batch = batch
        self._store = store
        self._is_ours = is_ours
        self._queue = queue
        self._clock = clock
        self._interval = interval_seconds
        self.last_sweep = clock.monotonic()
        """When a sweep last got on, by the monotonic clock: a probe watches it."""
        self.sweep_seconds = 0.0
        """How long the last sweep took, its pauses between calls included."""

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await self.sweep()

    async def sweep(self) -> None:
        """Describe every live job once, within the interval."""
        started = self.last_sweep = self._clock.monotonic()
        live = [record for record in self._store.live() if self._is_ours(record)]
        chunks = [live[at : at + JOBS_A_CALL] for at in range(0, len(live), JOBS_A_CALL)]
        seconds = interval(self._interval, len(live))
        for number, chunk in enumerate(chunks):
            due = started + seconds * number / len(chunks)
            await asyncio.sleep(max(0.0, due - self._clock.monotonic()))
            await self._describe(chunk)
            self.last_sweep = self._clock.monotonic()
        self.sweep_seconds = self._clock.monotonic() - started
        await asyncio.sleep(max(0.0, started + seconds - self._clock.monotonic()))
        self.last_sweep = self._clock.monotonic()

    async def _describe(self, chunk: Sequence[Record]) -> None:
        ids = {record.job_id: record for record in chunk if record.job_id is not None}
        try:
            jobs = await self._batch.describe(tuple(ids))
        except BatchError as error:
            # No answer says nothing of the jobs: none of them counts as absent for it.
            log.warning("jobs could not be described: %s", error, extra={"jobs": len(ids)})
            return
        seen = {job.id: job for job in jobs}
        for job_id, record in ids.items():
            self._take(record, seen.get(job_id))

    def _take(self, record: Record, job: Job | None) -> None:
        if job is None:
            record.absent_sweeps += 1
            changed = record.absent_sweeps >= ABSENT_SWEEPS
        else:
            changed = job != record.job
            record.absent_sweeps = 0
            record.job = job
        if changed:
            self._queue.add(record.task.metadata.uid)
