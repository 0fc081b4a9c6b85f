"""Runners without processes: thousands of jobs at the cost of a timer each."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchtask_local.batch.clock import Clock, Timer
from batchtask_local.batch.lifecycle import Exit
from batchtask_local.batch.model import LogStream
from batchtask_local.batch.runner import Container, Events, Launch, not_started


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulated container does."""

    seconds: float = 0.0
    exit_code: int = 0
    output: tuple[str, ...] = ()
    ignores_sigterm: bool = False


class SimulatedRunner:
    """Runs what the words of a command say: `sleep SECONDS`, `exit CODE`, `print TEXT`, `deaf`.

    `["sleep", "90", "exit", "3"]` runs for 90 of Batch's seconds and exits 3; `deaf` takes no
    notice of SIGTERM; a command with any other word ends at once, with exit code 0.

    Args:
        clock: whose seconds the simulations take.
        log_lines: takes lines of a log stream.
        script: what a container does, in place of the words above.
    """

    def __init__(
        self,
        clock: Clock,
        log_lines: Callable[[LogStream, Sequence[str]], None],
        script: Callable[[Launch], Simulation] | None = None,
    ) -> None:
        self._clock = clock
        self._log_lines = log_lines
        self._script = script or _read
        self._running: set[_Simulated] = set()

    def start(self, launch: Launch, events: Events) -> Container:
        """Begin a simulation; nothing happens before the clock's next step."""
        container = _Simulated(self._clock, events, self._script(launch), self._running)
        self._running.add(container)
        if container.simulation.output:
            self._log_lines(launch.log_stream, container.simulation.output)
        return container

    async def close(self) -> None:
        """Forget what runs."""
        for container in list(self._running):
            container.forget()


class CannotPullRunner:
    """Runs nothing: every image is missing from its registry."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def start(self, launch: Launch, events: Events) -> Container:
        """Report that the image can't be pulled."""
        reason = f"CannotPullContainerError: pull image manifest: {launch.image}: not found"
        self._clock.call_later(0, lambda: events.exited(not_started(reason)))
        return _Nothing()

    async def close(self) -> None:
        """Do nothing: nothing runs."""


class _Nothing:
    def stop(self) -> None:
        """Do nothing: it is about to exit."""

    def kill(self) -> None:
        """Do nothing: it is about to exit."""


class _Simulated:
    def __init__(
        self,
        clock: Clock,
        events: Events,
        simulation: Simulation,
        running: "set[_Simulated]",
    ) -> None:
        self.simulation = simulation
        self._clock = clock
        self._events = events
        self._running = running
        self._timer: Timer = clock.call_later(0, self._start)

    def stop(self) -> None:
        if not self.simulation.ignores_sigterm:
            self._exit_soon(128 + signal.SIGTERM)

    def kill(self) -> None:
        self._exit_soon(128 + signal.SIGKILL)

    def forget(self) -> None:
        self._timer.cancel()
        self._running.discard(self)

    def _start(self) -> None:
        self._timer = self._clock.call_later(
            self.simulation.seconds, lambda: self._exit(self.simulation.exit_code)
        )
        self._events.started()

    def _exit_soon(self, code: int) -> None:
        self._timer.cancel()
        self._timer = self._clock.call_later(0, lambda: self._exit(code))

    def _exit(self, code: int) -> None:
        self._running.discard(self)
        self._events.exited(Exit(code))


def _read(launch: Launch) -> Simulation:
    """Read a simulation from a command's words."""
    seconds, exit_code, output, is_deaf = 0.0, 0, list[str](), False
    words = iter(launch.command)
    for word in words:
        match word:
            case "sleep":
                seconds += float(next(words, "0"))
            case "exit":
                exit_code = int(next(words, "0"))
            case "print":
                output.append(next(words, ""))
            case "deaf":
                is_deaf = True
            case _:
                return Simulation()
    return Simulation(seconds, exit_code, tuple(output), is_deaf)
