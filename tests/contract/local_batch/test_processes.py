"""No process of a job outlives local Batch, however that ends."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from batchtask_local.batch import LocalBatchConfig, Queue, running
from contract.local_batch.support import (
    TIME_SCALE,
    Jobs,
    batch_client,
    logs_client,
    make_definition,
    messages,
    until,
)

FAMILY = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(300)"]
group = subprocess.Popen(sleep)
session = subprocess.Popen(sleep, start_new_session=True)
print(os.getpid(), group.pid, session.pid, flush=True)
time.sleep(300)
"""
"""A job with a child in its process group and one that left it."""


def is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def family(jobs: Jobs, url: str) -> list[int]:
    """Run a job with children, and return their process ids."""
    job = jobs.wait(jobs.submit("python", "-c", FAMILY), "RUNNING")
    stream = job["container"]["logStreamName"]
    logs = logs_client(url)
    lines = until(lambda: messages(logs, stream), lambda: "the job printed nothing")
    processes = [int(word) for word in lines[0].split()]
    assert all(map(is_alive, processes))
    return processes


def assert_gone(processes: list[int]) -> None:
    until(
        lambda: not any(map(is_alive, processes)),
        lambda: f"still alive: {[pid for pid in processes if is_alive(pid)]}",
    )


def guardians() -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
            if b"batch/guardian.py" in path.read_bytes() and int(parent) == os.getpid():
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


def test_nothing_is_left_after_a_stop(tmp_path: Path) -> None:
    before = guardians()
    config = LocalBatchConfig(tmp_path, queues=[Queue("q", 8)], time_scale=TIME_SCALE)
    with running(config) as handle:
        client = batch_client(handle.url)
        make_definition(client, "d")
        jobs = Jobs(client, "q", "d")
        processes = family(jobs, handle.url) + family(jobs, handle.url)

    assert not any(map(is_alive, processes))
    assert guardians() <= before
    assert not list((tmp_path / "scratch").iterdir())


def test_the_end_of_a_jobs_first_process_ends_its_group(jobs: Jobs) -> None:
    job_id = jobs.submit("python", "-c", FAMILY)
    jobs.wait(job_id, "RUNNING")
    url = jobs.client.meta.endpoint_url
    stream = jobs.get(job_id)["container"]["logStreamName"]
    lines = until(lambda: messages(logs_client(url), stream), lambda: "no line came")
    first, group, _ = (int(word) for word in lines[0].split())
    jobs.client.terminate_job(jobId=job_id, reason="enough")
    jobs.wait(job_id)

    assert_gone([first, group])


Server = tuple[subprocess.Popen[str], str]


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[Server]:
    """Local Batch as a process of its own, and its URL."""
    arguments = ["run", "--dir", str(tmp_path), "--queue", "q:8", "--time-scale", str(TIME_SCALE)]
    process = subprocess.Popen(
        [sys.executable, "-m", "batchtask_local.batch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        yield process, ready_url(output)
        process.kill()
        process.wait()


def ready_url(output: IO[str]) -> str:
    lines = []
    for line in output:
        lines.append(line)
        match = re.match(r"ready: (\S+)", line)
        if match:
            return match.group(1)
    raise AssertionError(f"never ready: {lines}")


def jobs_of(url: str) -> Jobs:
    client = batch_client(url)
    make_definition(client, "d")
    return Jobs(client, "q", "d")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_jobs(
    server_process: Server, number: signal.Signals
) -> None:
    process, url = server_process
    processes = family(jobs_of(url), url)
    process.send_signal(number)

    assert process.wait(60) == 0
    assert not any(map(is_alive, processes))


def test_jobs_end_even_where_the_server_is_killed(server_process: Server) -> None:
    process, url = server_process
    processes = family(jobs_of(url), url)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)

    assert_gone(processes)
