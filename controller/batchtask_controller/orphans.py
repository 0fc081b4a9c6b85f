"""Jobs of ours whose task is gone: found now and then, reported, and ended only where asked to.

A restored etcd or a narrowed scope makes every task look gone, so this errs on the side of leaving
jobs alone: see `judge`.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from batchtask_api import names
from batchtask_controller import metrics
from batchtask_controller.batch import Batch, BatchError, Job, JobRef, JobStatus
from batchtask_controller.clock import Clock
from batchtask_controller.poller import JOBS_A_CALL
from batchtask_controller.store import Record, Store
from batchtask_controller.tasks import Tasks, TasksError

log = logging.getLogger(__name__)

OLD_ENOUGH = timedelta(hours=1)
"""A younger job isn't swept: whatever is late has come by then."""

SUSPICIOUSLY_MANY = 10
"""More orphans than this, and more than half of all of our live jobs, are no orphans."""

LIVE = tuple(status for status in JobStatus if not status.has_ended)

_FIRST_AFTER = 60.0
_UID_IN_NAME = re.compile(r".*-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[0-9]+")


@dataclass(frozen=True, slots=True)
class Scope:
    """What this controller can know of: jobs outside are another's."""

    cluster_uid: str
    namespaces: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sweep has found."""

    orphans: tuple[Job, ...]
    """Oldest first."""
    distrust: str | None = None
    """Why none of them may be ended, where something larger seems to be wrong."""
    unasked: tuple[str, ...] = ()
    """The job queues whose jobs AWS Batch didn't tell."""


def judge(
    suspects: Sequence[Job], known: int, tasks: Set[str], scope: Scope, now: datetime
) -> Verdict:
    """Find the orphans.

    Args:
        suspects: live jobs that may have lost their task, as described.
        known: how many live jobs there are besides, of tasks that are there.
        tasks: the uids of all tasks in the scope, listed after the jobs were.
        scope: whose jobs may be judged.
        now: the time.
    """
    lost = [job for job in suspects if _has_lost_its_task(job, tasks, scope)]
    old = [job for job in lost if job.created_at and now - job.created_at >= OLD_ENOUGH]
    orphans = tuple(sorted(old, key=lambda job: (job.created_at or now, job.id)))
    if len(lost) > SUSPICIOUSLY_MANY and len(lost) > known:
        return Verdict(
            orphans,
            f"{len(lost)} of {len(lost) + known} live jobs of this cluster have no BatchTask; "
            "so many at once look like a restored etcd or a wrong cluster, not like orphans",
        )
    return Verdict(orphans)


def _has_lost_its_task(job: Job, tasks: Set[str], scope: Scope) -> bool:
    tags = dict(job.tags)
    return (
        not job.status.has_ended
        and tags.get(names.TAG_CLUSTER) == scope.cluster_uid
        and tags.get(names.TAG_NAMESPACE) in scope.namespaces
        and tags.get(names.TAG_TASK) not in {None, *tasks}
        and names.TAG_RETAINED not in tags
    )


def task_uid(job: JobRef) -> str | None:
    """The uid of the task that a job's name says it is of; None: its name is none of ours."""
    match = _UID_IN_NAME.fullmatch(job.name)
    return match[1] if match else None


class Search:
    """Looks for orphans in every job queue that a task was ever seen to use."""

    def __init__(
        self,
        *,
        batch: Batch,
        store: Store,
        is_ours: Callable[[Record], bool],
        tasks: Tasks,
        scope: Scope,
        clock: Clock,
    ) -> None:
        """Look in an account and region, whose tasks `is_ours` tells."""
        self._batch = batch
        self._store = store
        self._is_ours = is_ours
        self._tasks = tasks
        self._scope = scope
        self._clock = clock
        self._queues: set[str] = set()

    async def look(self, queues: Iterable[str] = ()) -> Verdict:
        """Look once, in these job queues as well.

        Raises:
            BatchError: jobs can't be described.
            TasksError: the tasks can't be listed.
        """
        self._queues.update(queues)
        jobs, unasked = await self._live_jobs()
        # Listed after the jobs were: a task precedes its job. And from the API server, in full,
        # since the store lacks what can't be read.
        tasks = await self._tasks.uids() | set(self._store.uids())
        suspects = [job.id for job, uid in jobs.items() if uid not in tasks]
        described = await self._describe(suspects)
        known = len(jobs) - len(suspects)
        verdict = judge(described, known, tasks, self._scope, self._clock.now())
        return replace(verdict, unasked=unasked)

    async def _live_jobs(self) -> tuple[Mapping[JobRef, str], tuple[str, ...]]:
        """The live jobs with names like ours, each with the uid in it; the queues not asked."""
        ours = filter(self._is_ours, self._store.records())
        self._queues.update(*map(_queues_of, ours))
        found: dict[str, tuple[JobRef, str]] = {}
        unasked: list[str] = []
        for queue in sorted(self._queues):
            try:
                async for job in self._live_in(queue):
                    if uid := task_uid(job):
                        found[job.id] = (job, uid)  # it may have gone on to the next state
            except BatchError as error:
                log.warning("job queue %s could not be swept for orphans: %s", queue, error)
                unasked.append(queue)
        return dict(found.values()), tuple(unasked)

    async def _live_in(self, queue: str) -> AsyncIterator[JobRef]:
        for status in LIVE:
            token: str | None = None
            while True:
                page = await self._batch.list_jobs(queue, status, token)
                for job in page.jobs:
                    yield job
                if (token := page.next_token) is None:
                    break

    async def _describe(self, ids: Sequence[str]) -> Sequence[Job]:
        chunks = [ids[at : at + JOBS_A_CALL] for at in range(0, len(ids), JOBS_A_CALL)]
        return [job for chunk in chunks for job in await self._batch.describe(chunk)]


class Orphans:
    """The leader's sweep: it reports what a search finds, and ends it where that is wanted."""

    def __init__(
        self,
        search: Search,
        *,
        batch: Batch,
        leads: Callable[[], bool],
        clock: Clock,
        interval_seconds: float,
        most_ended: int,
    ) -> None:
        """Sweep an account and region at each interval; end at most so many each time, or none."""
        self._search = search
        self._batch = batch
        self._leads = leads
        self._clock = clock
        self._interval = interval_seconds
        self._most_ended = most_ended
        self._next = clock.monotonic() + min(_FIRST_AFTER, interval_seconds)
        self._reported: set[str] = set()
        self.found = 0
        """How many the last sweep found."""

    async def sweep(self) -> None:
        """Look once, when it is time to; whatever fails is looked at again the next time."""
        await asyncio.sleep(max(0.0, self._next - self._clock.monotonic()))
        if not self._leads():
            self._next = self._clock.monotonic() + _FIRST_AFTER
            return
        self._next = self._clock.monotonic() + self._interval
        try:
            await self._look()
        except (BatchError, TasksError) as error:
            log.warning("the sweep for orphaned jobs failed: %s", error)
        except Exception:
            # No task hangs on it: a bug in here must not stop what does.
            log.exception("the sweep for orphaned jobs failed")

    async def _look(self) -> None:
        verdict = await self._search.look()
        self._report(verdict)
        if self._most_ended and verdict.distrust is None:
            await self._end(verdict.orphans[: self._most_ended])

    def _report(self, verdict: Verdict) -> None:
        self.found = len(verdict.orphans)
        for job in verdict.orphans:
            if job.id not in self._reported:
                log.warning("job %s is live and its BatchTask is gone", job.name, extra=_of(job))
        self._reported = {job.id for job in verdict.orphans}
        if verdict.distrust and self._most_ended:
            log.error("no orphaned job is ended: %s", verdict.distrust)

    async def _end(self, orphans: Sequence[Job]) -> None:
        for job in orphans:
            if not self._leads():
                return
            await self._batch.terminate(job.id, "Its BatchTask is gone")
            metrics.ORPHANS_ENDED.inc()
            log.warning("orphaned job %s: its end was asked for", job.name, extra=_of(job))


def _queues_of(record: Record) -> set[str]:
    """Of a task whose spec makes no job, none."""
    submission, asked = record.task.status.submission, record.task.spec.job.get("jobQueue")
    named = [asked, submission.queue if submission else None]
    return {queue for queue in named if isinstance(queue, str)}


def _of(job: Job) -> dict[str, str | None]:
    tags = dict(job.tags)
    return {"job_id": job.id, "task_uid": tags.get(names.TAG_TASK)}
