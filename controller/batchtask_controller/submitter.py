"""The submission of one task: the intent as a compare-and-swap, then the send, at most once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from batchtask_api import BatchTask, Phase, Submission
from batchtask_controller import metrics, status
from batchtask_controller.batch import (
    Batch,
    JobRef,
    JobRequest,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unsent,
)
from batchtask_controller.clock import Clock
from batchtask_controller.plan import Finish
from batchtask_controller.request import Invalid, Problem, job_name, job_request
from batchtask_controller.store import Record
from batchtask_controller.tasks import TasksError
from batchtask_controller.timings import Timings, step
from batchtask_controller.writer import StatusWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who submits from where: a part of every intent and every job's tags."""

    identity: str
    """This process, and no other that ever ran."""
    cluster_uid: str
    account: str | None
    region: str


class Submitter:
    """Submits tasks whose turn has come."""

    def __init__(
        self,
        *,
        batch: Batch,
        writer: StatusWriter,
        origin: Origin,
        leads: Callable[[], bool],
        clock: Clock,
        timings: Timings,
    ) -> None:
        self._batch = batch
        self._writer = writer
        self._origin = origin
        self._leads = leads
        self._clock = clock
        self._timings = timings

    async def submit(self, record: Record, workload: str | None) -> float | None:
        """Submit the task; the caller holds its lock and has just planned it.

        Returns:
            After how many seconds to look at the task again; None: when there is news.

        Raises:
            TasksError: the intent could not be written, or what became of it.
        """
        submission = self._intent(record.task)
        try:
            request = self._request(record.task, submission, workload)
        except Invalid as invalid:
            await self._fail(record, invalid.problem)
            return 0
        deadline = self._clock.monotonic() + self._timings.send_deadline
        await self._announce(record, submission)
        return await self._send(record, request, submission, deadline)

    def _intent(self, task: BatchTask) -> Submission:
        before = task.status.submission
        attempt = before.attempt + 1 if before else 1
        return Submission(
            attempt=attempt,
            job_name=job_name(task, attempt),
            by=self._origin.identity,
            at=self._clock.now(),
            account=self._origin.account,
            region=self._origin.region,
            queue=task.spec.job["jobQueue"],
        )

    def _request(self, task: BatchTask, submission: Submission, workload: str | None) -> JobRequest:
        uid = self._origin.cluster_uid
        return job_request(task, submission.attempt, workload=workload, cluster_uid=uid)

    async def _announce(self, record: Record, submission: Submission) -> None:
        intended = status.intended(record.task, submission, self._clock.now())
        try:
            await self._writer.write(record, intended)
        except TasksError:
            # It may stand there all the same; that nothing was sent for it is certain.
            record.unsent.add(submission)
            raise
        record.sent_at = self._clock.monotonic()
        record.look_ups = 0

    async def _send(
        self, record: Record, request: JobRequest, submission: Submission, deadline: float
    ) -> float | None:
        def may_send() -> bool:
            # The wall clock too: it dates the signature, and goes on while a machine stands still.
            age = (self._clock.now() - submission.at).total_seconds()
            is_young = abs(age) < self._timings.send_deadline
            return is_young and self._clock.monotonic() < deadline and self._leads()

        try:
            job = await self._batch.submit(request, may_send)
        except Unsent as error:
            record.unsent.add(submission)
            return await self._not_sent(record, error) if record.stands(submission) else 0
        except (Rejected, NotFound) as error:
            record.unsent.add(submission)
            if record.stands(submission):
                await self._fail(record, Problem(error.reason, str(error)))
            return 0
        except OutcomeUnknown as error:
            record.sent_at = self._clock.monotonic()  # whatever is under way has left by now
            log.warning(
                "submission has no known outcome: %s", error, extra={"task": str(record.task)}
            )
            return self._timings.look_up_after[0]
        await self._sent(record, submission, job)
        return None

    async def _sent(self, record: Record, submission: Submission, job: JobRef) -> None:
        record.sent.append(job)
        record.refusals = 0
        created = record.task.metadata.creation_timestamp
        if created is not None:
            metrics.SUBMIT_SECONDS.observe((self._clock.now() - created).total_seconds())
        if record.stands(submission):
            await self._writer.write(record, status.submitted(record.task, job, self._clock.now()))

    async def _not_sent(self, record: Record, error: Unsent) -> float:
        """Take the intent back, so that no later controller waits for it, and say why."""
        pause = 0.0
        if not isinstance(error, Throttled):  # then the pacer makes every call wait
            pause = step(self._timings.blocked_after, record.refusals)
            record.refusals += 1
            log.warning("submission was not taken: %s", error, extra={"task": str(record.task)})
        problem = Problem(error.reason, str(error))
        await self._writer.write(record, status.withdrawn(record.task, problem, self._clock.now()))
        return pause

    async def _fail(self, record: Record, problem: Problem) -> None:
        end = Finish(Phase.FAILED, problem.reason, problem.message)
        now = self._clock.now()
        await self._writer.write(record, status.finished(record.task, end, None, None, now))
        metrics.ENDS.labels(end.phase, end.reason).inc()
