"""The two AWS accounts that the port's suite runs over: the fake, and local Batch over boto3."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from batchtask_controller.aws import AwsBatch
from batchtask_controller.batch import (
    Batch,
    Denied,
    Job,
    JobRequest,
    JobStatus,
    Throttled,
    Unavailable,
)
from batchtask_local.batch import (
    SIMULATED_IMAGE,
    ErrorFault,
    Faults,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    ReplyFault,
    running,
)
from fakes.batch import FakeBatch, LostReply
from fakes.clock import FakeClock

SECONDS = 10.0
LAG = 60.0
"""In AWS's seconds: local Batch's clock is a hundred times as fast."""
SCALE = 0.01
ON_THE_WAY = (
    JobStatus.SUBMITTED,
    JobStatus.PENDING,
    JobStatus.RUNNABLE,
    JobStatus.STARTING,
    JobStatus.RUNNING,
)


class Account(Protocol):
    """An account with the queues `default` and `other`, and what a test does to it."""

    @property
    def batch(self) -> Batch:
        """The port."""

    async def reaches(self, job_id: str, status: JobStatus, exit_code: int | None = None) -> Job:
        """Let or see a job come to a status."""

    async def sees_the_end(self, job_id: str) -> Job:
        """See a job end, whichever way."""

    def lose_next(self, *, takes_effect: bool) -> None:
        """Let the next submission end without an answer."""

    def throttle_next(self, retry_after_seconds: float) -> None:
        """Let the next call be one too many."""

    def refuse_next(self, operation: str) -> None:
        """Let the next call of an operation (AWS's name) meet a missing right."""

    def break_next(self, operation: str) -> None:
        """Let the next call of an operation, which changes nothing, fail inside AWS."""

    async def show_late(self, then_after: float | None = None) -> None:
        """Show new jobs only after a while; or let that while pass."""


def a_request(name: str, *words: str, queue: str = "default", **more: Any) -> JobRequest:
    """A job that does what the words say."""
    parameters = {
        "jobName": name,
        "jobQueue": queue,
        "jobDefinition": "worker",
        "containerOverrides": {"command": [*words]},
        **more,
    }
    return JobRequest(name, parameters)


@dataclass
class FakeAccount:
    """The fake."""

    clock: FakeClock
    batch: FakeBatch

    async def reaches(self, job_id: str, status: JobStatus, exit_code: int | None = None) -> Job:
        for each in ON_THE_WAY:
            self.batch.advance(job_id, each)
            self.clock.advance(1)
            if each is status:
                break
        else:
            self.batch.advance(job_id, status, exit_code=exit_code)
        return (await self.batch.describe([job_id]))[0]

    async def sees_the_end(self, job_id: str) -> Job:
        (job,) = await self.batch.describe([job_id])
        assert job.status.has_ended
        return job

    def lose_next(self, *, takes_effect: bool) -> None:
        self.batch.lose_next(LostReply(takes_effect))

    def throttle_next(self, retry_after_seconds: float) -> None:
        error = Throttled("TooManyRequestsException: Too Many Requests", retry_after_seconds)
        self.batch.fail_next("submit", error)

    def refuse_next(self, operation: str) -> None:
        name = {"SubmitJob": "submit", "ListJobs": "find"}[operation]
        self.batch.fail_next(name, Denied(f"AWS refused the right: {operation}"))

    def break_next(self, operation: str) -> None:
        name = {"DescribeJobs": "describe", "ListJobs": "find", "TerminateJob": "terminate"}
        self.batch.fail_next(name[operation], Unavailable("AWS Batch failed with 500"))

    async def show_late(self, then_after: float | None = None) -> None:
        self.batch.visibility_lag_seconds = LAG
        self.clock.advance(then_after or 0)


@dataclass
class LocalAccount:
    """Local Batch, and the real adapter."""

    server: LocalBatchHandle
    batch: AwsBatch

    async def reaches(self, job_id: str, status: JobStatus, exit_code: int | None = None) -> Job:
        job = await self._until(job_id, lambda job: job.status is status or job.status.has_ended)
        assert job.status is status
        return job

    async def sees_the_end(self, job_id: str) -> Job:
        return await self._until(job_id, lambda job: job.status.has_ended)

    async def _until(self, job_id: str, is_there: Callable[[Job], bool]) -> Job:
        async with asyncio.timeout(SECONDS):
            while True:
                (job,) = await self.batch.describe([job_id])
                if is_there(job):
                    return job
                await asyncio.sleep(0.02)

    def lose_next(self, *, takes_effect: bool) -> None:
        fault = ReplyFault(outcome="drop", takes_effect=takes_effect, times=1)
        self.server.set_faults(Faults(replies=(fault,)))

    def throttle_next(self, retry_after_seconds: float) -> None:
        # One call a day is served: the first one takes it.
        self.server.set_faults(Faults(throttle=1e-5, retry_after=retry_after_seconds))

    def refuse_next(self, operation: str) -> None:
        fault = ErrorFault(operation=operation, code="AccessDeniedException", status=403, times=1)
        self.server.set_faults(Faults(errors=(fault,)))

    def break_next(self, operation: str) -> None:
        self.server.set_faults(Faults(errors=(ErrorFault(operation=operation, times=1),)))

    async def show_late(self, then_after: float | None = None) -> None:
        self.server.set_faults(Faults(visibility_lag=LAG))
        await asyncio.sleep((then_after or 0) * SCALE)


def a_fake_account() -> FakeAccount:
    """A new fake."""
    clock = FakeClock()
    return FakeAccount(clock, FakeBatch(clock))


@contextmanager
def local_batch(directory: Path) -> Iterator[LocalBatchHandle]:
    """Local Batch with simulated jobs."""
    definition = {
        "jobDefinitionName": "worker",
        "type": "container",
        "containerProperties": {
            "image": SIMULATED_IMAGE,
            "resourceRequirements": [
                {"type": "VCPU", "value": "1"},
                {"type": "MEMORY", "value": "64"},
            ],
        },
    }
    config = LocalBatchConfig(
        directory=directory,
        queues=[Queue("default", 500), Queue("other", 500)],
        job_definitions=[definition],
        time_scale=SCALE,
    )
    with running(config) as server:
        yield server


@contextmanager
def a_local_account(
    server: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalAccount]:
    """The adapter, with credentials that local Batch takes."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    batch = AwsBatch("us-east-1", server.url, 10)
    try:
        yield LocalAccount(server, batch)
    finally:
        batch.close()
        server.set_faults(Faults())
