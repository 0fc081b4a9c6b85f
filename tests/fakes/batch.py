"""A stateful stand-in for AWS Batch, as the controller's port shows one account and region."""

import asyncio
import re
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from batchtask_api import Reason, names
from batchtask_controller.batch import (
    Batch,
    BatchError,
    Found,
    Job,
    JobAttempt,
    JobPage,
    JobRef,
    JobRequest,
    JobStatus,
    LogStream,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from batchtask_controller.clock import Clock

MOST_IDS = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@dataclass
class FakeJob:
    """A job inside the fake: what Batch holds of it."""

    request: JobRequest
    job: Job
    queue: str
    visible_at: float
    has_vanished: bool = False


@dataclass(frozen=True)
class LostReply:
    """A submission whose sender gets no answer; it takes effect, if it does, so much later."""

    takes_effect: bool = True
    after_seconds: float = 0.0


@dataclass
class FakeBatch:
    """Jobs in a dict, which change when `advance` says so.

    A submission that was sent arrives, even if whoever sent it is gone by then. `fail_next` makes
    the next calls of an operation fail without effect, `lose_next` the next submissions' replies.
    `arrived` is called with each request at the moment that Batch takes it.
    """

    clock: Clock
    account: str | None = "123456789012"
    region: str = "us-east-1"
    queues: set[str] = field(default_factory=lambda: {"default", "other"})
    latency_seconds: float = 0.0
    visibility_lag_seconds: float = 0.0
    down: BatchError | None = None
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    arrived: Callable[[JobRequest], None] | None = None
    unending: set[str] = field(default_factory=set)
    """Ids of jobs that a termination does not end."""
    lines: dict[LogStream, list[str]] = field(default_factory=dict)
    """What was written to each stream."""
    log_group_name: str | None = None
    """What the job definition names."""
    log_region: str | None = None
    logs_hang: bool = False
    page_size: int = 1000

    def __post_init__(self) -> None:
        self._begun = self.clock.now() - timedelta(seconds=self.clock.monotonic())
        self._failures: dict[str, deque[BatchError]] = {}
        self._lost: deque[LostReply] = deque()

    # -- the port ---------------------------------------------------------------------------------

    async def locate(self) -> tuple[str | None, str]:
        """Where the fake stands."""
        return self.account, self.region

    async def submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        """Take a job."""
        self._begin("submit")
        if not may_send():
            raise Unavailable("the send was called off: its time was over")
        lost = self._lost.popleft() if self._lost else None
        delay = self.latency_seconds + (lost.after_seconds if lost else 0)
        if lost is None or lost.takes_effect:
            answer = self._send(request, delay)
        if lost is not None:
            await asyncio.sleep(self.latency_seconds)
            raise OutcomeUnknown("the connection was closed without an answer")
        reference = await answer
        await asyncio.sleep(self.latency_seconds)
        return reference

    async def describe(self, ids: Sequence[str]) -> Sequence[Job]:
        """The jobs of those ids that can be seen."""
        self._begin("describe")
        await asyncio.sleep(self.latency_seconds)
        if len(ids) > MOST_IDS:
            raise Rejected(f"ClientException: at most {MOST_IDS} jobs")
        return [self.jobs[each].job for each in ids if each in self.jobs and self._shows(each)]

    async def find(self, name_prefix: str, queue: str) -> Found:
        """The jobs of a queue by the start of their names, whatever the case."""
        self._begin("find")
        await asyncio.sleep(self.latency_seconds)
        as_of = self._now().replace(microsecond=0)
        self._check(queue)
        found = [
            JobRef(each.job.id, each.job.name, each.job.arn, each.job.created_at)
            for each in self.jobs.values()
            if each.queue == queue
            and each.job.name.lower().startswith(name_prefix.lower())
            and self._shows(each.job.id)
        ]
        found.sort(key=lambda ref: (ref.created_at or as_of, ref.id))
        return Found(found, as_of)

    async def terminate(self, job_id: str, reason: str) -> None:
        """End a job; nothing happens to one that has ended or that there isn't."""
        self._begin("terminate")
        await asyncio.sleep(self.latency_seconds)
        held = self.jobs.get(job_id)
        if held is not None and not held.job.status.has_ended and job_id not in self.unending:
            self.advance(job_id, JobStatus.FAILED, status_reason=reason, is_cancelled=True)

    async def list_jobs(
        self, queue: str, status: JobStatus, next_token: str | None = None
    ) -> JobPage:
        """A page of the jobs of a queue in that state."""
        self._begin("list_jobs")
        await asyncio.sleep(self.latency_seconds)
        self._check(queue)
        found = self._of(queue, status)
        start = int(next_token or 0)
        stop = start + self.page_size
        page = [JobRef(job.id, job.name, job.arn, job.created_at) for job in found[start:stop]]
        return JobPage(page, str(stop) if stop < len(found) else None)

    async def snapshot(self, queue: str) -> Sequence[str]:
        """The RUNNABLE jobs in the order of their submission."""
        self._begin("snapshot")
        await asyncio.sleep(self.latency_seconds)
        self._check(queue)
        return [job.id for job in self._of(queue, JobStatus.RUNNABLE)[:MOST_IDS]]

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags."""
        self._begin("tag")
        await asyncio.sleep(self.latency_seconds)
        held = self.jobs.get(arn.rpartition("/")[2])
        if held is None:
            raise Rejected(f"ClientException: no job {arn}")
        held.job = replace(held.job, tags=_own({**dict(held.job.tags), **tags}))

    async def log_tail(self, stream: LogStream) -> Sequence[str]:
        """The last hundred lines."""
        self._begin("log_tail")
        await asyncio.sleep(3600 if self.logs_hang else self.latency_seconds)
        if stream not in self.lines:
            raise Rejected("ResourceNotFoundException: The specified log stream does not exist.")
        return self.lines[stream][-100:]

    # -- what tests do ----------------------------------------------------------------------------

    def advance(
        self,
        job_id: str,
        status: JobStatus,
        *,
        exit_code: int | None = None,
        reason: str | None = None,
        status_reason: str | None = None,
        is_cancelled: bool = False,
    ) -> Job:
        """Let a job go on to a status, with the times and the attempt that belong to it."""
        held = self.jobs[job_id]
        job, now = held.job, _milliseconds(self._now())
        job = replace(job, status=status, is_cancelled=is_cancelled)
        if status is JobStatus.RUNNING:
            job = replace(job, started_at=now, log_stream_name=f"default/{job_id}")
        if status.has_ended:
            code = 0 if status is JobStatus.SUCCEEDED and exit_code is None else exit_code
            job = _ended(job, now, code, reason, status_reason)
        held.job = job
        return job

    def vanish(self, job_id: str) -> None:
        """Let a job be in no description and no list any more."""
        self.jobs[job_id].has_vanished = True

    def fail_next(self, operation: str, *errors: BatchError) -> None:
        """Let the next calls of one of the port's methods fail without effect."""
        self._failures.setdefault(operation, deque()).extend(errors)

    def lose_next(self, *replies: LostReply) -> None:
        """Let the next submissions end as OutcomeUnknown."""
        self._lost.extend(replies)

    def calm(self) -> None:
        """Let nothing more go wrong."""
        self._failures.clear()
        self._lost.clear()
        self.down = None

    def named(self, part: str) -> list[Job]:
        """All jobs whose names hold this, seen or not."""
        return [held.job for held in self.jobs.values() if part in held.job.name]

    # -- inside -----------------------------------------------------------------------------------

    def _now(self) -> datetime:
        """AWS's own time, which does not jump with its clients' clocks."""
        return self._begun + timedelta(seconds=self.clock.monotonic())

    def _begin(self, operation: str) -> None:
        self.calls[operation] += 1
        if self.down is not None:
            raise self.down
        if failures := self._failures.get(operation):
            raise failures.popleft()

    def _send(self, request: JobRequest, delay: float) -> "asyncio.Future[JobRef]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[JobRef] = loop.create_future()
        loop.call_later(delay, self._arrive, request, answer)
        return answer

    def _arrive(self, request: JobRequest, answer: "asyncio.Future[JobRef]") -> None:
        try:
            reference = self._take(request)
        except BatchError as error:
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # the sender may be gone
        else:
            if not answer.done():
                answer.set_result(reference)

    def _take(self, request: JobRequest) -> JobRef:
        queue = str(request.parameters["jobQueue"])
        self._check(queue)
        if not _NAME.fullmatch(request.name):
            raise Rejected(f"ClientException: jobName {request.name!r} is invalid")
        if self.arrived is not None:
            self.arrived(request)
        job_id = str(uuid.UUID(int=len(self.jobs) + 1, version=4))
        arn = f"arn:aws:batch:{self.region}:{self.account}:job/{job_id}"
        now = _milliseconds(self._now())
        tags = _own(request.parameters.get("tags", {}))
        job = Job(
            job_id,
            request.name,
            JobStatus.SUBMITTED,
            arn=arn,
            log_group_name=self.log_group_name,
            log_region=self.log_region,
            created_at=now,
            tags=tags,
        )
        visible = self.clock.monotonic() + self.visibility_lag_seconds
        self.jobs[job_id] = FakeJob(request, job, queue, visible)
        return JobRef(job_id, request.name, arn)

    def _of(self, queue: str, status: JobStatus) -> list[Job]:
        return [
            held.job
            for held in self.jobs.values()
            if held.queue == queue and held.job.status is status and self._shows(held.job.id)
        ]

    def _check(self, queue: str) -> None:
        if queue not in self.queues:
            raise NotFound(f"ClientException: JobQueue {queue} not found.", Reason.INVALID_SPEC)

    def _shows(self, job_id: str) -> bool:
        held = self.jobs[job_id]
        return not held.has_vanished and self.clock.monotonic() >= held.visible_at


def _own(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    ours = f"{names.GROUP}/"
    return tuple(sorted((name, value) for name, value in tags.items() if name.startswith(ours)))


def _milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _ended(
    job: Job, now: datetime, code: int | None, reason: str | None, status_reason: str | None
) -> Job:
    attempts = job.attempts
    if job.started_at is not None:
        attempt = JobAttempt(
            exit_code=code,
            reason=reason,
            status_reason=status_reason,
            log_stream_name=job.log_stream_name,
            started_at=job.started_at,
            stopped_at=now,
        )
        attempts = (*attempts, attempt)
    return replace(
        job,
        exit_code=code if job.started_at is not None else None,
        reason=reason,
        status_reason=status_reason,
        stopped_at=now,
        attempts=attempts,
    )


if TYPE_CHECKING:
    from fakes.clock import FakeClock

    _: Batch = FakeBatch(FakeClock())
