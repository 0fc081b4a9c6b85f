"""Carries every job from SUBMITTED to its end: the only place where jobs change.

Single-threaded and without I/O of its own: the clock and the runner call it back.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from batchtask_local.batch import lifecycle, scheduler
from batchtask_local.batch.attempts import AttemptEvents, Attempts, StateTimes
from batchtask_local.batch.clock import Clock, Timer
from batchtask_local.batch.lifecycle import Exit
from batchtask_local.batch.logs import GROUP
from batchtask_local.batch.model import (
    Attempt,
    ComputeEnvironment,
    Dependency,
    EndedBy,
    Ending,
    Job,
    JobQueue,
    JobSpec,
    LogStream,
    Status,
)
from batchtask_local.batch.room import Room
from batchtask_local.batch.runner import Runner
from batchtask_local.batch.store import JobStore

MAX_OVERRIDES = 8192
OVERRIDES_TOO_LONG = f"Container Overrides length must be at most {MAX_OVERRIDES}"
TOO_MANY_TAGS = "The combined tags of the job and its job definition are over 50"
RECLAIMED = "Host EC2 (instance i-0123456789abcdef0) terminated."


class Places(Protocol):
    """What the engine asks about queues and their environments."""

    def queues(self) -> list[JobQueue]:
        """Return the queues, the highest priority first."""

    def environments(self, queue: JobQueue) -> list[ComputeEnvironment]:
        """Return a queue's environments, in its order."""


@dataclass(frozen=True, slots=True)
class _Blocked:
    """The stuck head of a queue."""

    job_id: str
    reason: str
    timer: Timer | None


class Engine:
    """Moves jobs on, as time passes and containers end.

    Args:
        clock: gives stamps and timers.
        runner: runs the containers.
        store: holds the jobs.
        places: knows the queues and environments.
        times: how long the states last.
        instance_memory_mib: what more memory than that is asked for is stuck; None: no limit.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        runner: Runner,
        store: JobStore,
        places: Places,
        times: StateTimes,
        instance_memory_mib: int | None = None,
    ) -> None:
        self._clock = clock
        self._store = store
        self._places = places
        self._times = times
        self._instance_memory_mib = instance_memory_mib
        self._room = Room()
        events = AttemptEvents(self._started, self._timed_out, self._exited)
        self._attempts = Attempts(clock, runner, times, events)
        self._blocked: dict[str, _Blocked] = {}
        self._dependents: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._last_created_at = 0

    # What callers ask for

    def submit(self, spec: JobSpec, visibility_lag_seconds: float = 0.0) -> Job:
        """Take in a job; it begins to move once this has returned."""
        job = self._new_job(str(uuid.uuid4()), spec)
        lag = self._clock.milliseconds(visibility_lag_seconds)
        job = replace(job, visible_at=job.created_at + lag)
        self._store.add(job)
        self._clock.call_later(self._times.submitted, partial(self._pend, job.id))
        return job

    def terminate(self, job_id: str, reason: str) -> None:
        """End a job in whatever state it is; unknown and ended ones stay as they are."""
        job = self._store.get(job_id)
        if job is None or job.status.has_ended:
            return
        if job.status.is_placed:
            self._end_placed(job, Ending(EndedBy.TERMINATE, reason))
            return
        flagged = replace(job, is_terminated=True, wish=job.wish or reason)
        self._store.replace(flagged)
        if job.children is None:
            self._fail(flagged, reason)
        else:
            for child in self._store.children(job_id):
                self.terminate(child.id, reason)

    def cancel(self, job_id: str, reason: str) -> None:
        """End a job that isn't placed yet; a PENDING one once its dependencies have ended."""
        job = self._store.get(job_id)
        if job is None or job.status.has_ended or job.status.is_placed:
            return
        flagged = replace(job, is_cancelled=True, wish=job.wish or reason)
        self._store.replace(flagged)
        if job.children is not None:
            for child in self._store.children(job_id):
                self.cancel(child.id, reason)
        elif job.status is Status.PENDING:
            self._resolve(job_id)
        else:
            self._fail(flagged, reason)

    def reclaim(self, job_id: str) -> bool:
        """Take away the machine under a placed job, as EC2 does with Spot; tell if it had one."""
        job = self._store.get(job_id)
        if job is None or not job.status.is_placed:
            return False
        self._end_placed(job, Ending(EndedBy.RECLAIM, RECLAIMED))
        return True

    def vanish(self, job_id: str) -> bool:
        """Hide a job from every description and list from now on; tell if there is one."""
        job = self._store.get(job_id)
        if job is None:
            return False
        self._store.replace(replace(job, is_vanished=True))
        return True

    def dispatch(self) -> None:
        """Place what can be placed; to be called when queues or environments change."""
        for queue in self._places.queues():
            while self._place_head(queue):
                pass

    def waiting(self, queue: JobQueue, count: int) -> list[Job]:
        """Return a queue's first RUNNABLE jobs, in the order in which they are to start."""
        return [self._store.numbered(number) for number in self._room.first(queue.arn, count)]

    def used(self) -> Mapping[str, int]:
        """Return the thousandths of vCPUs in use, by the environment's ARN."""
        return dict(self._room.used)

    def used_by_share(self, queue: JobQueue) -> Mapping[str, int]:
        """Return the thousandths of vCPUs in use, by a queue's shares."""
        return dict(self._room.used_by_share(queue.arn))

    # Before a place

    def _new_job(self, job_id: str, spec: JobSpec) -> Job:
        now = self._last_created_at = max(self._last_created_at, self._clock.now())
        number = self._store.next_number()
        return Job(id=job_id, number=number, spec=spec, created_at=now, visible_at=now)

    def _pend(self, job_id: str) -> None:
        job = self._in(job_id, Status.SUBMITTED)
        if job is not None:
            self._store.replace(lifecycle.pend(job))
            self._clock.call_later(self._times.pending, partial(self._resolve, job_id))

    def _resolve(self, job_id: str) -> None:
        """Go on with a PENDING job, if nothing that it depends on is outstanding."""
        job = self._in(job_id, Status.PENDING)
        if job is None or job.children is not None:
            return
        found = [self._store.get(needed) for needed in self._dependencies(job)]
        needed = [dependency for dependency in found if dependency is not None]
        outstanding = [dependency for dependency in needed if not dependency.status.has_ended]
        has_failed = any(dependency.status is Status.FAILED for dependency in needed)
        if job.is_cancelled and not outstanding:
            self._fail(job, job.wish or "")
        elif has_failed and not job.is_cancelled:
            self._fail(job, lifecycle.DEPENDENCY_FAILED)
        elif outstanding:
            for dependency in outstanding:
                self._dependents[dependency.id][job_id] = None
        elif job.spec.array_size is not None and job.index is None:
            self._spawn(job)
        else:
            self._queue(lifecycle.make_runnable(job))

    def _dependencies(self, job: Job) -> list[str]:
        """Return the ids of what a job waits for: an array's children wait one by one."""
        if job.index is not None:
            ids = [self._child_dependency(job, needed) for needed in job.spec.depends_on]
        else:
            plain = [needed for needed in job.spec.depends_on if needed.type is None]
            ids = [needed.job_id for needed in plain]
        return [job_id for job_id in ids if job_id is not None]

    def _child_dependency(self, child: Job, needed: Dependency) -> str | None:
        if needed.type == "SEQUENTIAL" and child.index:
            return f"{child.parent}:{child.index - 1}"
        if needed.type != "N_TO_N":
            return None
        counterpart = f"{needed.job_id}:{child.index}"
        # Until the other array has its children, its parent stands for them.
        return needed.job_id if self._store.get(counterpart) is None else counterpart

    def _spawn(self, parent: Job) -> None:
        """Make the children of an array, whose parent stays PENDING until they have ended."""
        size = parent.spec.array_size or 0
        self._store.replace(replace(parent, children={Status.PENDING: size}))
        for index in range(size):
            child = self._new_job(f"{parent.id}:{index}", parent.spec)
            visible_at = max(child.visible_at, parent.visible_at)
            self._store.add(
                replace(
                    child,
                    status=Status.PENDING,
                    parent=parent.id,
                    index=index,
                    visible_at=visible_at,
                )
            )
        for child in self._store.children(parent.id):
            self._resolve(child.id)
        self._wake_dependents(parent.id)

    def _queue(self, job: Job) -> None:
        """Put a job that has become RUNNABLE into its queue's line."""
        self._step(job)
        self._room.wait(job)
        self.dispatch()

    # Placing

    def _place_head(self, queue: JobQueue) -> bool:
        """Place the job at the head of a queue, and tell whether the next one may be tried."""
        number = self._room.head(queue.arn)
        if number is None:
            return False
        job = self._store.numbered(number)
        environments = self._places.environments(queue)
        limit = self._instance_memory_mib
        match scheduler.place(job.spec.container, environments, self._room.used, limit):
            case scheduler.Placed(environment):
                self._room.leave(job)
                self._take_place(job, environment)
                return True
            case scheduler.Stuck(reason):
                self._block(job, queue, reason)
            case scheduler.Full():
                self._unblock(queue.arn)
        return False

    def _take_place(self, job: Job, environment: ComputeEnvironment) -> None:
        if job.spec.container.overrides_length > MAX_OVERRIDES:
            self._fail(job, OVERRIDES_TOO_LONG)
        elif job.spec.has_too_many_tags:
            self._fail(job, TOO_MANY_TAGS)
        else:
            self._room.take(job, environment)
            task_id = uuid.uuid4().hex
            attempt = Attempt(task_id, environment.name, _log_stream(job.spec, task_id))
            self._step(lifecycle.begin(job, attempt))
            self._attempts.begin(job, attempt)

    def _block(self, job: Job, queue: JobQueue, reason: str) -> None:
        blocked = self._blocked.get(queue.arn)
        if blocked is not None and (blocked.job_id, blocked.reason) == (job.id, reason):
            return
        self._unblock(queue.arn)
        self._store.replace(lifecycle.block(job, scheduler.STUCK[reason]))
        limit = queue.time_limits.get(reason)
        message = f"Canceled by JobStateTimeLimit action due to reason: {reason}"
        cancel = partial(self.cancel, job.id, message)
        timer = None if limit is None else self._clock.call_later(limit, cancel)
        self._blocked[queue.arn] = _Blocked(job.id, reason, timer)

    def _unblock(self, queue: str) -> None:
        blocked = self._blocked.pop(queue, None)
        if blocked is None:
            return
        if blocked.timer is not None:
            blocked.timer.cancel()
        job = self._in(blocked.job_id, Status.RUNNABLE)
        if job is not None:
            self._store.replace(lifecycle.block(job, None))

    # In a place

    def _started(self, job_id: str) -> None:
        job = self._in(job_id, Status.STARTING)
        if job is not None:
            self._step(lifecycle.run(job, self._clock.now()))

    def _timed_out(self, job_id: str) -> None:
        job = self._in(job_id, Status.RUNNING)
        if job is not None:
            self._end_placed(job, Ending(EndedBy.TIMEOUT, lifecycle.TIMED_OUT))

    def _end_placed(self, job: Job, ending: Ending) -> None:
        """Ask a placed job to end; it stays in its state until its container has."""
        self._store.replace(lifecycle.ask_to_end(job, ending))
        if ending.by is EndedBy.RECLAIM:
            self._attempts.kill(job.id)
        else:
            self._attempts.stop(job.id)

    def _exited(self, job_id: str, outcome: Exit) -> None:
        job = self._store.get(job_id)
        if job is None:
            return
        self._room.give_back(job)
        ended = lifecycle.end_attempt(job, outcome, self._clock.now())
        if ended.status is Status.RUNNABLE:
            self._queue(ended)
        else:
            self._step(ended)
            self._wake_dependents(job_id)
            self.dispatch()

    # The end

    def _fail(self, job: Job, reason: str) -> None:
        """End a job that has no place."""
        self._room.leave(job)
        self._step(lifecycle.end_waiting(job, reason, self._clock.now()))
        self._wake_dependents(job.id)
        self._clock.call_later(0, self.dispatch)

    def _wake_dependents(self, job_id: str) -> None:
        for dependent in self._dependents.pop(job_id, {}):
            # Not at once: a long chain of dependents would be as deep a recursion.
            self._clock.call_later(0, partial(self._resolve, dependent))

    def _step(self, job: Job) -> None:
        """Take in a job's new state, and count it in its array."""
        old = self._store.get(job.id)
        self._store.replace(job)
        parent = None if job.parent is None else self._store.get(job.parent)
        if parent is None or old is None or old.status is job.status:
            return
        counted = lifecycle.tally(parent, old.status, job.status, self._clock.now())
        self._store.replace(counted)
        if counted.status.has_ended:
            self._wake_dependents(counted.id)

    def _in(self, job_id: str, status: Status) -> Job | None:
        job = self._store.get(job_id)
        return job if job is not None and job.status is status else None


def _log_stream(spec: JobSpec, task_id: str) -> LogStream:
    options = spec.container.log_options  # awslogs-region is told alone: all regions are here
    prefix = options.get("awslogs-stream-prefix", spec.definition.name[:200])
    return LogStream(
        options.get("awslogs-group", GROUP), f"{prefix}/{spec.container.name}/{task_id}"
    )
