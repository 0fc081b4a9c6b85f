"""Runs the attempts of placed jobs: launch, time-out, SIGTERM and then SIGKILL."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from batchtask_local.batch.clock import Clock, Timer
from batchtask_local.batch.lifecycle import Exit
from batchtask_local.batch.model import Attempt, Job
from batchtask_local.batch.runner import Container, Events, Launch, Runner


@dataclass(frozen=True, slots=True)
class StateTimes:
    """How long jobs stay in the states that only AWS's own work fills, in Batch's seconds."""

    submitted: float = 0.1
    pending: float = 0.1
    starting: float = 0.3
    kill_grace: float = 30.0
    """From SIGTERM to SIGKILL."""


@dataclass(frozen=True, slots=True)
class AttemptEvents:
    """What is told of a job's attempt: at the end `exited`, exactly once."""

    started: Callable[[str], None]
    timed_out: Callable[[str], None]
    exited: Callable[[str, Exit], None]


@dataclass(slots=True)
class _Live:
    container: Container | None = None
    timers: list[Timer] = field(default_factory=list)
    is_stopping: bool = False


class Attempts:
    """The attempts that are under way, one of a job at most."""

    def __init__(
        self, clock: Clock, runner: Runner, times: StateTimes, events: AttemptEvents
    ) -> None:
        self._clock = clock
        self._runner = runner
        self._times = times
        self._events = events
        self._live: dict[str, _Live] = {}

    def begin(self, job: Job, attempt: Attempt) -> None:
        """Launch an attempt's container once the time of STARTING is over."""
        live = self._live[job.id] = _Live()
        launch = partial(self._launch, job, attempt, live)
        live.timers.append(self._clock.call_later(self._times.starting, launch))

    def stop(self, job_id: str) -> None:
        """End an attempt: SIGTERM, and after the grace SIGKILL."""
        live = self._live[job_id]
        if live.is_stopping:
            return
        live.is_stopping = True
        if live.container is None:
            self._abandon(job_id, live)
            return
        live.container.stop()
        live.timers.append(self._clock.call_later(self._times.kill_grace, live.container.kill))

    def kill(self, job_id: str) -> None:
        """End an attempt at once."""
        live = self._live[job_id]
        live.is_stopping = True
        if live.container is None:
            self._abandon(job_id, live)
        else:
            live.container.kill()

    def _abandon(self, job_id: str, live: _Live) -> None:
        """End an attempt whose container wasn't launched yet."""
        for timer in live.timers:
            timer.cancel()
        exited = partial(self._exited, job_id, live, Exit(None))
        live.timers.append(self._clock.call_later(0, exited))

    def _launch(self, job: Job, attempt: Attempt, live: _Live) -> None:
        launch = Launch(
            job_id=job.id,
            task_id=attempt.task_id,
            image=job.spec.container.image,
            command=job.spec.container.command,
            environment={**job.spec.container.environment, **_variables(job, attempt)},
            log_stream=attempt.log_stream,
        )
        events = Events(
            started=partial(self._started, job, live),
            exited=partial(self._exited, job.id, live),
        )
        live.container = self._runner.start(launch, events)

    def _started(self, job: Job, live: _Live) -> None:
        if job.spec.timeout_seconds is not None:
            time_out = partial(self._events.timed_out, job.id)
            live.timers.append(self._clock.call_later(job.spec.timeout_seconds, time_out))
        self._events.started(job.id)

    def _exited(self, job_id: str, live: _Live, outcome: Exit) -> None:
        for timer in live.timers:
            timer.cancel()
        del self._live[job_id]
        self._events.exited(job_id, outcome)


def _variables(job: Job, attempt: Attempt) -> dict[str, str]:
    """Return the variables that AWS sets itself."""
    variables = {
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts) + 1),
        "AWS_BATCH_JQ_NAME": job.spec.queue.name,
        "AWS_BATCH_CE_NAME": attempt.environment,
    }
    if job.index is not None:
        variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
        variables["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.spec.array_size)
    return variables
