"""Server processes that end with the process that started them, however that ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LOG_LINES = 12
END_SECONDS = 10


class ProcessEndedError(Exception):
    """A process that should be up has ended; the text has its last words."""


class ProcessGroup:
    """Processes of one process group, which a guard kills when this process dies.

    `directory` gets one log a process; `removed_with_parent` is a directory that the guard is
    to remove if this process dies before it can. Leaving the context kills every process at
    once: what they keep is thrown away with them.
    """

    def __init__(self, directory: Path, *, removed_with_parent: Path | None = None) -> None:
        self._directory = directory
        self._removed = removed_with_parent
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("guard.py")
        arguments = [str(script), str(os.getpid()), str(self._removed or "")]
        self._guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
        return self

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start a process in the group; its output goes to the end of `<directory>/<name>.log`."""
        with self.log(name).open("ab") as log:
            self._started[name] = subprocess.Popen(  # noqa: S603
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=self._guard.pid,
            )

    def kill(self, name: str) -> None:
        """Kill a process as a crash does; another may be started under its name."""
        process = self._started.pop(name)
        process.kill()
        process.wait(END_SECONDS)

    def terminate(self, within_seconds: float) -> None:
        """Ask every process to end, and wait for so long: what hasn't ended then is killed."""
        for process in self._started.values():
            process.terminate()
        deadline = time.monotonic() + within_seconds
        for process in self._started.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))

    def log(self, name: str) -> Path:
        """Return the file that holds a process's output."""
        return self._directory / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """Return the last lines of a process's output."""
        lines = self.log(name).read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    def check(self) -> None:
        """Raise ProcessEndedError if a process has ended."""
        for name, process in self._started.items():
            if process.poll() is not None:
                raise ProcessEndedError(
                    f"{name} ended with code {process.returncode}; its last lines:\n"
                    f"{self.log_tail(name)}"
                )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._guard.pid, signal.SIGKILL)
        for process in (*self._started.values(), self._guard):
            process.wait(END_SECONDS)
        if self._guard.stdin:
            self._guard.stdin.close()
