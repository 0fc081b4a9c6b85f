"""A process that was frozen in a call wakes to a task that another has taken on since."""

import asyncio
from collections.abc import Callable

from batchtask_api import Phase, Reason
from batchtask_controller import status
from batchtask_controller.batch import JobRef, JobRequest, JobStatus
from batchtask_controller.echo import Echo
from batchtask_controller.plan import Finish
from batchtask_controller.recovery import Recovery
from batchtask_controller.store import Record, Store
from batchtask_controller.submitter import Origin, Submitter
from batchtask_controller.timings import Timings
from batchtask_controller.writer import StatusWriter
from builders import a_task
from fakes.batch import FakeBatch, LostReply
from fakes.clock import FakeClock
from fakes.cluster import FakeCluster


class FreezingBatch(FakeBatch):
    """AWS Batch whose submissions stand still before they are sent, or before they return."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.before_send = asyncio.Event()
        self.after_reply = asyncio.Event()
        self.freezes = False

    async def submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        if not self.freezes:
            return await super().submit(request, may_send)
        self.freezes = False
        await self.before_send.wait()
        job = await super().submit(request, may_send)
        await self.after_reply.wait()
        return job


class Process:
    """The protocol's part of a controller, over a store that sees what it is told to see."""

    def __init__(self, name: str, cluster: FakeCluster, batch: FakeBatch, clock: FakeClock) -> None:
        self.leads = True
        self._cluster = cluster
        self._store = Store()
        self.writer = StatusWriter(cluster, self._store, Echo(clock))
        origin = Origin(name, "cluster", batch.account, batch.region)
        self.submitter = Submitter(
            batch=batch,
            writer=self.writer,
            origin=origin,
            leads=lambda: self.leads,
            clock=clock,
            timings=Timings(),
        )
        self.recovery = Recovery(
            batch=batch, writer=self.writer, origin=origin, clock=clock, timings=Timings()
        )

    def sees(self) -> Record:
        task = self._cluster.task("bt-1")
        self._store.observe(task)
        record = self._store.get(task.metadata.uid)
        assert record is not None
        return record


async def test_a_send_that_was_called_off_takes_back_no_other_intent(clock: FakeClock) -> None:
    cluster, batch = FakeCluster(clock), FreezingBatch(clock)
    cluster.add(a_task())
    frozen, other = (Process(name, cluster, batch, clock) for name in ("frozen", "other"))
    batch.freezes = True
    sending = asyncio.create_task(frozen.submitter.submit(frozen.sees(), None))
    await asyncio.sleep(1)
    frozen.leads = False
    await asyncio.sleep(Timings().resend_others_after)
    await other.recovery.recover(other.sees())
    batch.lose_next(LostReply())
    await other.submitter.submit(other.sees(), None)
    frozen.sees()

    batch.before_send.set()
    await sending

    submission = cluster.task("bt-1").status.submission
    assert submission is not None
    assert submission.by == "other"
    assert len(batch.jobs) == 1


async def test_a_late_reply_brings_no_finished_task_back(clock: FakeClock) -> None:
    cluster, batch = FakeCluster(clock), FreezingBatch(clock)
    cluster.add(a_task())
    frozen, other = (Process(name, cluster, batch, clock) for name in ("frozen", "other"))
    batch.freezes = True
    batch.before_send.set()
    sending = asyncio.create_task(frozen.submitter.submit(frozen.sees(), None))
    await asyncio.sleep(10)
    seen = other.sees()
    await other.recovery.recover(seen)
    assert seen.job_id is not None
    batch.advance(seen.job_id, JobStatus.SUCCEEDED)
    end = Finish(Phase.SUCCEEDED, Reason.JOB_SUCCEEDED, "The job succeeded")
    finished = status.finished(seen.task, end, None, seen.job_id, clock.now())
    await other.writer.write(seen, finished)
    frozen.sees()

    batch.after_reply.set()
    await sending

    assert cluster.task("bt-1").status.phase is Phase.SUCCEEDED
