"""Kills the processes of jobs once local Batch is gone, however it went: run as a script.

It reads lines from its standard input, which ends when the process that started it does:
`job ID` before a job's process is started, `group PGID` after, `ended PGID` once it has exited.
At the end of input it kills every group that hasn't ended and, where there is a /proc, every
process that carries one of the ids as AWS_BATCH_JOB_ID, so also one that left its group.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

SWEEP_SECONDS = 5.0
"""How long a process may be forking children faster than they are found."""


def main() -> None:
    """Read until the end of input, then kill."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    job_ids: set[str] = set()
    groups: set[int] = set()
    for line in sys.stdin:
        kind, _, value = line.strip().partition(" ")
        if kind == "job":
            job_ids.add(value)
        elif kind == "group":
            groups.add(int(value))
        elif kind == "ended":
            groups.discard(int(value))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    _sweep(job_ids)


def _sweep(job_ids: set[str]) -> None:
    deadline = time.monotonic() + SWEEP_SECONDS
    while job_ids and time.monotonic() < deadline:
        found = list(_carrying(job_ids))
        if not found:
            return
        for process in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def _carrying(job_ids: set[str]) -> Iterable[int]:
    """Find the live processes whose environment has one of the ids."""
    marker = b"AWS_BATCH_JOB_ID="
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            for entry in path.read_bytes().split(b"\0"):
                if entry.startswith(marker) and entry[len(marker) :].decode() in job_ids:
                    yield int(path.parent.name)


if __name__ == "__main__":
    main()
