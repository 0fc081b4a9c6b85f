"""The port `Batch` with every call paced, counted, and its throttling heard."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from batchtask_controller import metrics
from batchtask_controller.batch import (
    Batch,
    BatchError,
    Found,
    Job,
    JobPage,
    JobRef,
    JobRequest,
    JobStatus,
    LogStream,
    Throttled,
)
from batchtask_controller.pacer import Call, Pacer


class PacedBatch:
    """AWS Batch as everything but the submitter's own admission sees it."""

    def __init__(self, batch: Batch, pacer: Pacer) -> None:
        self._batch = batch
        self._pacer = pacer

    async def locate(self) -> tuple[str | None, str]:
        """The account asked and the region; no call to AWS Batch."""
        return await self._batch.locate()

    async def submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        """Submit; the submitter was admitted before it wrote the intent."""
        async with self._counted("SubmitJob"):
            return await self._batch.submit(request, may_send)

    async def describe(self, ids: Sequence[str]) -> Sequence[Job]:
        """Describe, in its turn."""
        await self._pacer.admit(Call.DESCRIBE)
        async with self._counted("DescribeJobs"):
            return await self._batch.describe(ids)

    async def find(self, name_prefix: str, queue: str) -> Found:
        """Find, before all else."""
        await self._pacer.admit(Call.URGENT)
        async with self._counted("ListJobs"):
            return await self._batch.find(name_prefix, queue)

    async def terminate(self, job_id: str, reason: str) -> None:
        """Terminate, before all else."""
        await self._pacer.admit(Call.URGENT)
        async with self._counted("TerminateJob"):
            await self._batch.terminate(job_id, reason)

    async def list_jobs(
        self, queue: str, status: JobStatus, next_token: str | None = None
    ) -> JobPage:
        """List a part, in the turn of the describes."""
        await self._pacer.admit(Call.DESCRIBE)
        async with self._counted("ListJobs"):
            return await self._batch.list_jobs(queue, status, next_token)

    async def snapshot(self, queue: str) -> Sequence[str]:
        """Look at a queue's front, in the turn of the describes."""
        await self._pacer.admit(Call.DESCRIBE)
        async with self._counted("GetJobQueueSnapshot"):
            return await self._batch.snapshot(queue)

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Tag, before all else: a deletion waits for it."""
        await self._pacer.admit(Call.URGENT)
        async with self._counted("TagResource"):
            await self._batch.tag(arn, tags)

    async def log_tail(self, stream: LogStream) -> Sequence[str]:
        """Read the log at once: its quota is CloudWatch Logs', of which the pacer knows nothing."""
        async with self._counted("GetLogEvents", is_paced=False):
            return await self._batch.log_tail(stream)

    @asynccontextmanager
    async def _counted(self, operation: str, *, is_paced: bool = True) -> AsyncIterator[None]:
        try:
            yield
        except BatchError as error:
            metrics.CALLS.labels(operation, type(error).__name__).inc()
            if is_paced and isinstance(error, Throttled):
                self._pacer.throttled(error.retry_after_seconds)
            raise
        else:
            metrics.CALLS.labels(operation, "ok").inc()
