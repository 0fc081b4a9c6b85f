"""One look at one task: gather, plan, apply; and what to do when that fails."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import assert_never

from batchtask_api import names
from batchtask_api.policy import Rules
from batchtask_controller import metrics, status
from batchtask_controller.batch import Batch, BatchError
from batchtask_controller.clock import Clock
from batchtask_controller.gather import Gathered, gather
from batchtask_controller.log_tails import LogTails
from batchtask_controller.plan import (
    Action,
    Claim,
    Delete,
    Finish,
    Observed,
    Recover,
    Release,
    Retain,
    Submit,
    Terminate,
    Wait,
    WorkloadMissing,
    plan,
)
from batchtask_controller.recovery import Recovery
from batchtask_controller.request import Problem
from batchtask_controller.store import Record, Store
from batchtask_controller.submitter import Submitter
from batchtask_controller.tasks import Conflict, Gone, Refused, Tasks, TasksError, Unreachable
from batchtask_controller.timings import Timings, step
from batchtask_controller.turns import Turns
from batchtask_controller.waiting import Waiting
from batchtask_controller.workqueue import WorkQueue
from batchtask_controller.writer import StatusWriter

log = logging.getLogger(__name__)


class Reconciler:
    """Brings tasks, one at a time each, nearer to what their specs and their jobs say."""

    def __init__(
        self,
        *,
        store: Store,
        queue: WorkQueue,
        waiting: Waiting,
        tasks: Tasks,
        batch: Batch,
        writer: StatusWriter,
        submitter: Submitter,
        recovery: Recovery,
        turns: Turns,
        log_tails: LogTails,
        rules: Rules | None,
        clock: Clock,
        timings: Timings,
    ) -> None:
        self._store = store
        self._queue = queue
        self._waiting = waiting
        self._tasks = tasks
        self._batch = batch
        self._writer = writer
        self._submitter = submitter
        self._recovery = recovery
        self._turns = turns
        self._log_tails = log_tails
        self._rules = rules
        self._clock = clock
        self._timings = timings

    async def reconcile(self, uid: str) -> None:
        """Look at a task; a submission only takes its place in the line."""
        record = self._store.get(uid)
        if record is None:
            self._waiting.discard(uid)
            return
        if record.lock.locked():
            # A submission is under way, and AWS may take its time: no worker waits for it.
            self._again(record, self._timings.busy_again)
            return
        async with record.lock:
            await self._guarded(record, self._look)

    async def submit(self, uid: str) -> None:
        """Look at a task whose turn to be submitted has come: what was planned may not hold now."""
        record = self._store.get(uid)
        if record is None:
            return
        async with record.lock:
            await self._guarded(record, self._look_and_submit)

    async def _look(self, record: Record) -> None:
        _, action = await self._decide(record)
        if isinstance(action, Submit):
            spec = record.task.spec
            self._waiting.add(record.task.metadata.uid, spec.job["jobQueue"], spec.priority)
            return
        self._waiting.discard(record.task.metadata.uid)
        await self._apply(record, action)

    async def _look_and_submit(self, record: Record) -> None:
        gathered, action = await self._decide(record)
        if isinstance(action, Submit):
            self._ask_again(record, await self._submitter.submit(record, gathered.workload))
        else:
            await self._apply(record, action)

    async def _decide(self, record: Record) -> tuple[Gathered, Action]:
        """Plan on the very version that the write which follows is made against."""
        gathered = await self._gather(record)
        while gathered.observed.task is not record.task:  # the watch brought news meanwhile
            gathered = await self._gather(record)
        missing = isinstance(gathered.observed.workload, WorkloadMissing)
        record.workload_tries = record.workload_tries + 1 if missing else 0
        observed = self._believed(record, gathered.observed)
        return gathered, plan(observed, self._clock.now(), self._timings)

    async def _gather(self, record: Record) -> Gathered:
        return await gather(record, self._tasks, self._turns, self._clock, self._rules)

    def _believed(self, record: Record, observed: Observed) -> Observed:
        """That a job is absent here says nothing where it was submitted somewhere else."""
        submission = record.task.status.submission
        if record.job is not None or record.job_id is None or submission is None:
            return observed
        problem = self._recovery.elsewhere(submission)
        return replace(observed, absent_sweeps=0, problem=problem) if problem else observed

    async def _apply(self, record: Record, action: Action) -> None:
        task = record.task
        match action:
            case Wait(after=after, blocked=problem):
                await self._keep_true(record, problem)
                self._again(record, after)
            case Claim():
                finalizers = [*task.metadata.finalizers, names.FINALIZER]
                self._store.refresh(await self._tasks.set_finalizers(task, finalizers))
                self._again(record, 0)
            case Recover():
                self._asks(record)
                self._ask_again(record, await self._recovery.recover(record))
            case Terminate(reason=reason):
                self._asks(record)
                await self._terminate(record, reason)
            case Retain(arn=arn):
                self._asks(record)
                await self._retain(record, arn)
            case Finish():
                await self._finish(record, action)
            case Release(given_up=given_up):
                await self._release(record, given_up)
            case Delete():
                await self._tasks.delete(task)
            case Submit():
                pass
            case _:
                assert_never(action)

    async def _keep_true(self, record: Record, problem: Problem | None) -> None:
        """Write what is seen of a task that goes on by itself."""
        task, now = record.task, self._clock.now()
        if task.status.phase.is_finished:
            return
        if record.job is not None:
            await self._writer.write(record, status.running(task, record.job, now, problem))
        elif problem is not None:
            await self._writer.write(record, status.blocked(task, problem, now))
        elif task.status.job_id is None and record.sent:
            await self._writer.write(record, status.submitted(task, record.sent[0], now))

    async def _terminate(self, record: Record, reason: str) -> None:
        """Ask AWS to end the job, again every minute until the poller sees its end."""
        if record.job_id is not None:
            await self._batch.terminate(record.job_id, reason)
            record.refusals = 0
            log.info("job's end asked for: %s", reason, extra=_about(record))
        self._ask_again(record, self._timings.terminate_again)
        await self._keep_true(record, None)

    async def _finish(self, record: Record, end: Finish) -> None:
        planned_on = record.task
        tail = await self._log_tails.of(record.job)
        if record.task is not planned_on:
            self._again(record, 0)
            return
        now = self._clock.now()
        finished = status.finished(record.task, end, record.job, record.job_id, now, tail)
        await self._writer.write(record, finished)
        metrics.ENDS.labels(end.phase, end.reason).inc()
        log.info("task ended: %s: %s", end.reason, end.message, extra=_about(record))
        self._again(record, 0)

    async def _retain(self, record: Record, arn: str) -> None:
        """Mark the job, then let the task go, unless its policy may be another by now."""
        planned_on = record.task
        await self._batch.tag(arn, {names.TAG_RETAINED: "true"})
        if record.task is planned_on:
            await self._release(record, None)
        else:
            self._again(record, 0)

    async def _release(self, record: Record, given_up: str | None) -> None:
        task = record.task
        kept = [name for name in task.metadata.finalizers if name != names.FINALIZER]
        if given_up:
            metrics.GIVEN_UP.inc()
            log.error("task released though its job may run: %s", given_up, extra=_about(record))
        self._store.refresh(await self._tasks.set_finalizers(task, kept))
        log.info("task released", extra=_about(record))

    async def _guarded(self, record: Record, look: Callable[[Record], Awaitable[None]]) -> None:
        """Take a look; whatever fails, the task is looked at again, and no other one suffers."""
        try:
            await look(record)
        except Gone:
            self._store.forget(record.task.metadata.uid)
        except Conflict:
            await self._reread(record)
        except Unreachable as error:
            log.warning("%s", error, extra=_about(record))
            self._again(record, self._timings.cluster_again)
        except Refused as error:
            log.error("Kubernetes refused it: %s", error, extra=_about(record))  # noqa: TRY400
            self._again(record, self._timings.refused_again)
        except BatchError as error:
            await self._aws_failed(record, error)
        except Exception:
            # A bug met by one task must not stop the others; it shows here, and comes again.
            log.exception("task could not be looked at", extra=_about(record))
            self._again(record, self._timings.refused_again)

    async def _reread(self, record: Record) -> None:
        try:
            self._store.refresh(await self._tasks.get(record.task))
        except Gone:
            self._store.forget(record.task.metadata.uid)
        except TasksError as error:
            log.warning("%s", error, extra=_about(record))
            self._again(record, self._timings.cluster_again)
        else:
            self._again(record, 0)

    async def _aws_failed(self, record: Record, error: BatchError) -> None:
        """A look-up or a termination failed; both may be made again at any time."""
        pause = step(self._timings.blocked_after, record.refusals)
        record.refusals += 1
        log.warning("AWS Batch: %s; again in %.0f s", error, pause, extra=_about(record))
        self._ask_again(record, pause)
        if record.task.status.phase.is_finished:
            return
        problem = Problem(error.reason, str(error))
        try:
            blocked = status.blocked(record.task, problem, self._clock.now())
            await self._writer.write(record, blocked)
        except TasksError as failed:
            log.warning("%s", failed, extra=_about(record))

    def _asks(self, record: Record) -> None:
        """Note since when AWS has been asked: a deletion waits for its answer, but not for ever."""
        if record.asked_at is None:
            record.asked_at = self._clock.monotonic()

    def _ask_again(self, record: Record, after: float | None) -> None:
        """Look again after a while, and let no news of the task make AWS be asked earlier."""
        if after is not None:
            record.ask_again_at = self._clock.monotonic() + after
        self._again(record, after)

    def _again(self, record: Record, after: float | None) -> None:
        uid = record.task.metadata.uid
        if after is None:
            return
        if after <= 0:
            self._queue.add(uid)
        else:
            self._queue.add_after(uid, after)


def _about(record: Record) -> dict[str, str | None]:
    return {"task": str(record.task), "job_id": record.job_id}
