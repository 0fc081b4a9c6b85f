"""Runs containers as processes of this machine, each in a process group of its own."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from batchtask_local.batch import guardian
from batchtask_local.batch.lifecycle import Exit
from batchtask_local.batch.model import LogStream
from batchtask_local.batch.runner import Container, Events, Launch, not_started

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 262_144
"""What is longer becomes several log events, as in CloudWatch."""
LAST_WORDS_SECONDS = 0.5
"""How long to read on after the first process exited, while another one holds the output."""
NO_COMMAND = (
    "CannotStartContainerError: there is no command: local Batch has no image whose own command "
    "it could run; give one in the job definition or in the overrides"
)


def base_environment(home: Path) -> dict[str, str]:
    """Return what every job's environment begins with, and all that it takes from this process.

    `python` in a job is the Python that runs local Batch.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.defpath, "/usr/local/bin"))
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}


class ProcessRunner:
    """Runs each command as a process group, with a scratch folder that goes when it ends.

    The end of a command's first process ends its group, as in a container. A process that has
    left the group lives on until local Batch itself ends.

    Args:
        directory: where the scratch folders and the jobs' common home are.
        environment: what every job has beside its own variables, over PATH, HOME and LANG.
        open_log: makes a log stream.
        log_lines: takes lines of a log stream.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        open_log: Callable[[LogStream], None],
        log_lines: Callable[[LogStream, Sequence[str]], None],
    ) -> None:
        self._scratch = directory.resolve() / "scratch"
        home = directory.resolve() / "home"
        for folder in (self._scratch, home):
            folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**base_environment(home), **environment}
        self._open_log = open_log
        self._log_lines = log_lines
        self._guardian = _Guardian()
        self._tasks: dict[asyncio.Task[None], _Process] = {}
        self._is_closing = False

    def start(self, launch: Launch, events: Events) -> Container:
        """Begin to run a command; what goes wrong is told by an event."""
        process = _Process()
        task = asyncio.get_running_loop().create_task(self._run(launch, events, process))
        self._tasks[task] = process
        task.add_done_callback(self._tasks.pop)
        return process

    async def close(self) -> None:
        """Kill every process that a job started, and wait until they are gone."""
        self._is_closing = True
        tasks = dict(self._tasks)
        for process in tasks.values():
            process.kill()
        if tasks:
            await asyncio.wait(tasks, timeout=30)
        await self._guardian.close()

    async def _run(self, launch: Launch, events: Events, process: "_Process") -> None:
        self._open_log(launch.log_stream)
        folder = self._scratch / launch.task_id
        try:
            folder.mkdir()
            outcome = await self._execute(launch, events, process, folder)
        except OSError as error:
            outcome = not_started(f"CannotStartContainerError: {error}")
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        if not self._is_closing:
            events.exited(outcome)

    async def _execute(
        self, launch: Launch, events: Events, process: "_Process", folder: Path
    ) -> Exit:
        if not launch.command:
            return not_started(NO_COMMAND)
        await self._guardian.watch_job(launch.job_id)
        reader, writer = os.pipe()
        try:
            child = await asyncio.create_subprocess_exec(
                *launch.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                cwd=folder,
                env={**self.environment, **launch.environment},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(reader)
            return not_started(f"CannotStartContainerError: {error}", 127)
        finally:
            os.close(writer)
        self._guardian.watch_group(child.pid)
        output = asyncio.create_task(self._read(reader, launch.log_stream))
        if not self._is_closing:
            events.started()
        process.has_started(child.pid)
        code = await child.wait()
        process.has_ended()
        self._guardian.release_group(child.pid)
        await asyncio.wait([output], timeout=LAST_WORDS_SECONDS)
        output.cancel()
        await asyncio.gather(output, return_exceptions=True)
        return Exit(128 - code if code < 0 else code)

    async def _read(self, descriptor: int, stream: LogStream) -> None:
        """Turn a pipe's bytes into lines of a log stream."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
        )
        rest = b""
        try:
            while chunk := await reader.read(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) >= MAX_LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                self._log_lines(stream, [_text(line) for line in lines])
        finally:
            if rest:
                self._log_lines(stream, [_text(rest)])
            transport.close()


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode(errors="replace")


class _Process:
    """A process group that is about to be, is, or was."""

    def __init__(self) -> None:
        self._group: int | None = None
        self._has_ended = False
        self._pending: signal.Signals | None = None

    def stop(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def has_started(self, group: int) -> None:
        self._group = group
        if self._pending is not None:
            self._send(self._pending)

    def has_ended(self) -> None:
        """End what the first process left behind, as the end of a container does."""
        self._send(signal.SIGKILL)
        self._has_ended = True

    def _send(self, number: signal.Signals) -> None:
        if self._has_ended:
            return
        if self._group is None:
            self._pending = number
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number is signal.SIGTERM:
                os.kill(self._group, number)
            else:
                os.killpg(self._group, number)


class _Guardian:
    """The process that outlives this one by a moment, to kill what it left."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def watch_job(self, job_id: str) -> None:
        async with self._lock:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    guardian.__file__,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={},
                    start_new_session=True,
                )
        self._tell(f"job {job_id}")

    def watch_group(self, group: int) -> None:
        self._tell(f"group {group}")

    def release_group(self, group: int) -> None:
        self._tell(f"ended {group}")

    async def close(self) -> None:
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            async with asyncio.timeout(30):
                await self._process.wait()
        except TimeoutError:
            log.exception(
                "The guardian of the jobs' processes didn't end: pid %s", self._process.pid
            )
            self._process.kill()

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n".encode())
