"""What became of a submission whose outcome isn't known: found by its name, or proven not sent."""

import logging
from collections.abc import Sequence

from batchtask_api import Phase, Reason, Submission
from batchtask_controller import metrics, status
from batchtask_controller.batch import Batch, JobRef, NotFound
from batchtask_controller.clock import Clock
from batchtask_controller.plan import Finish
from batchtask_controller.request import Problem
from batchtask_controller.store import Record
from batchtask_controller.submitter import Origin
from batchtask_controller.timings import Timings
from batchtask_controller.writer import StatusWriter

log = logging.getLogger(__name__)


class Recovery:
    """Looks for jobs by name, and decides when nothing found means that nothing is there."""

    def __init__(
        self,
        *,
        batch: Batch,
        writer: StatusWriter,
        origin: Origin,
        clock: Clock,
        timings: Timings,
    ) -> None:
        self._batch = batch
        self._writer = writer
        self._origin = origin
        self._clock = clock
        self._timings = timings

    async def recover(self, record: Record) -> float:
        """Find out what became of the open intent; the caller holds the task's lock.

        Returns:
            After how many seconds to look at the task again.

        Raises:
            BatchError: the look-up failed.
            TasksError: the finding could not be written.
        """
        submission = record.task.status.submission
        if submission is None:
            return 0
        # Measured before the look-up: its answer says nothing of what arrives after it was sent.
        age = self._age(record, submission)
        first = self._timings.look_up_after[0]
        if (early := first - age) > 0:
            return min(early, first)  # another's clock may be far ahead
        if problem := self.elsewhere(submission):
            return await self._nothing_known(record, submission, age, problem)
        try:
            found = await self._batch.find(_all_attempts(submission), submission.queue)
        except NotFound as error:
            problem = Problem(
                Reason.OUTCOME_UNKNOWN, f"Whether a job was submitted can't be known: {error}"
            )
            return await self._nothing_known(record, submission, age, problem)
        record.refusals = 0
        if found.jobs:
            await self._adopt(record, submission, found.jobs)
            return 0
        if not self._is_ours(record, submission):
            # AWS's clock judged the signature: by it the intent is as old as its request can be.
            age = (found.as_of - submission.at).total_seconds()
        return await self._nothing_found(record, submission, age)

    def _age(self, record: Record, submission: Submission) -> float:
        """How old the intent seems: by our own clock where we sent it, else by both wall clocks."""
        if self._is_ours(record, submission) and record.sent_at is not None:
            return self._clock.monotonic() - record.sent_at
        return (self._clock.now() - submission.at).total_seconds()

    def _is_ours(self, record: Record, submission: Submission) -> bool:
        return submission.by == self._origin.identity and record.sent_at is not None

    def elsewhere(self, submission: Submission) -> Problem | None:
        """Why this process can't see what the submission led to, if it can't."""
        origin = self._origin
        asked = (submission.account or origin.account, submission.region or origin.region)
        if asked == (origin.account or submission.account, origin.region):
            return None
        return Problem(
            Reason.OUTCOME_UNKNOWN,
            f"The submission went to account {asked[0]} in {asked[1]}; this controller asks "
            f"account {origin.account} in {origin.region} and can't look there",
        )

    async def _adopt(self, record: Record, submission: Submission, found: Sequence[JobRef]) -> None:
        kept, *rest = found
        for job in rest:
            log.error(
                "second job found under the task's name; ending it",
                extra={"task": str(record.task), "job_id": job.id, "kept": kept.id},
            )
            reason = f"BatchTask {record.task} already has job {kept.id}"
            await self._batch.terminate(job.id, reason)
            metrics.DUPLICATES.inc()
        # Only now: a task whose job is known is not looked for again.
        record.sent.append(kept)
        if record.stands(submission):
            await self._writer.write(record, status.submitted(record.task, kept, self._clock.now()))

    async def _nothing_found(self, record: Record, submission: Submission, age: float) -> float:
        ours = self._is_ours(record, submission)
        bound = self._timings.resend_after if ours else self._timings.resend_others_after
        if bound <= age < self._timings.intent_life:
            log.warning(
                "no job was found for the submission; it is made again",
                extra={"task": str(record.task), "age_seconds": round(age)},
            )
            record.unsent.add(submission)
            return 0
        problem = Problem(
            Reason.OUTCOME_UNKNOWN,
            "The reply to the submission was lost; its job is being looked for by name",
        )
        return await self._nothing_known(record, submission, age, problem)

    async def _nothing_known(
        self, record: Record, submission: Submission, age: float, problem: Problem
    ) -> float:
        if not record.stands(submission):
            return 0
        now = self._clock.now()
        if age >= self._timings.intent_life:
            hours = self._timings.intent_life / 3600
            message = f"No job was found for a submission over {hours:.0f} h old: {problem.message}"
            end = Finish(Phase.LOST, Reason.INTENT_EXPIRED, message)
            await self._writer.write(record, status.finished(record.task, end, None, None, now))
            metrics.ENDS.labels(end.phase, end.reason).inc()
            return 0
        await self._writer.write(record, status.blocked(record.task, problem, now))
        record.look_ups += 1
        return self._pause(record.look_ups)

    def _pause(self, look_ups: int) -> float:
        """From one age of the schedule to the next, then the last step again and again."""
        ages = (0.0, *self._timings.look_up_after)
        index = min(look_ups, len(ages) - 2)
        return ages[index + 1] - ages[index]


def _all_attempts(submission: Submission) -> str:
    """What the names of all of the task's jobs start with, as the intent has it.

    Not made anew from the task: another release may name jobs otherwise.
    """
    return submission.job_name.rpartition("-")[0] + "-"
