"""The port through which the engine runs containers, and what passes through it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from batchtask_local.batch.lifecycle import NOT_STARTED, Exit
from batchtask_local.batch.model import LogStream

CANNOT_PULL_IMAGE = "local/cannot-pull"
"""An image that is never there: its jobs end as AWS's do whose image can't be pulled."""
SIMULATED_IMAGE = "local/simulated"
"""The image of jobs that have no process: their command says how long they take."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One container to run. Its command and environment may hold a token: never log them."""

    job_id: str
    task_id: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log_stream: LogStream

    def __repr__(self) -> str:
        return f"Launch(job_id={self.job_id!r}, task_id={self.task_id!r})"


@dataclass(frozen=True, slots=True)
class Events:
    """What a runner tells: `started` at most once, then `exited` exactly once."""

    started: Callable[[], None]
    exited: Callable[[Exit], None]


class Container(Protocol):
    """A container that was asked for and hasn't exited."""

    def stop(self) -> None:
        """Send SIGTERM to the container's first process, started or about to be."""

    def kill(self) -> None:
        """Send SIGKILL to all of its processes, started or about to be."""


class Runner(Protocol):
    """Runs containers. No event comes before `start` has returned."""

    def start(self, launch: Launch, events: Events) -> Container:
        """Begin to run a container."""

    async def close(self) -> None:
        """Kill what runs and return once nothing of it is left; no event comes any more."""


class RunnerByImage:
    """Chooses the runner by the image that a job definition names."""

    def __init__(self, runners: Mapping[str, Runner], default: Runner) -> None:
        self._runners = dict(runners)
        self._default = default

    def start(self, launch: Launch, events: Events) -> Container:
        """Begin to run a container by the runner of its image."""
        return self._runners.get(launch.image, self._default).start(launch, events)

    async def close(self) -> None:
        """Close every runner."""
        for runner in (*self._runners.values(), self._default):
            await runner.close()


def not_started(reason: str, code: int | None = None) -> Exit:
    """Return the end of a container that never had a process."""
    return Exit(code, reason[:255], NOT_STARTED)
