"""What a controller uses, at rest and with live tasks: `make footprint`, for the chart's resources.

The controller is a process with the product's own settings, on a real API server and local Batch,
whose jobs are timers. Memory is the process's resident set, CPU its time over the wall's.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from batchtask_local.apiserver import envtest
from batchtask_local.batch import LocalBatchConfig, Queue, running
from integration.faults import controller
from integration.faults.conftest import MANIFESTS, grant
from integration.faults.controller import Controller
from integration.faults.world import DEFINITION, FOREVER, World, a_task, eventually

NAMESPACE = "footprint"
WINDOW_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a line for each state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000, help="how many live tasks (5000)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="footprint-") as name:
        home = Path(name)
        queues = (Queue("default", 100_000),)
        config = LocalBatchConfig(home / "batch", queues=queues, job_definitions=[DEFINITION])
        with envtest([MANIFESTS / "crd.yaml"]) as server, running(config) as batch:
            account = grant(server)
            server.create_namespace(NAMESPACE)
            settings = {
                "BATCHTASK_AWS_ENDPOINT_URL": batch.url,
                "BATCHTASK_NAMESPACES": NAMESPACE,
                "BATCHTASK_POLL_INTERVAL_SECONDS": 10,
                "KUBECONFIG": account,
            }
            measured = controller.start(home, "measured", settings, None)
            standby = controller.start(home, "standby", settings, None)
            try:
                measure(World(server, NAMESPACE, batch), measured, standby, options.tasks)
            finally:
                measured.kill()
                standby.kill()


def measure(world: World, one: Controller, two: Controller, tasks: int) -> None:
    """Go through the states, with a report of each."""
    eventually(lambda: one.leads() or two.leads(), seconds=60)
    leader, standby = (one, two) if one.leads() else (two, one)
    report("leader at rest", leader, WINDOW_SECONDS)
    before, started = cpu_seconds(leader), time.monotonic()
    world.create(*(a_task(f"live-{number}", seconds=FOREVER) for number in range(tasks)))
    eventually(lambda: world.statuses()["RUNNING"] == tasks, seconds=1800, every=1)
    spent, took = cpu_seconds(leader) - before, time.monotonic() - started
    say(f"leader, {tasks:,} submissions in {took:.0f} s", leader, spent / took)
    report(f"leader, {tasks:,} live tasks", leader, WINDOW_SECONDS)
    report(f"standby, {tasks:,} live tasks", standby, WINDOW_SECONDS)


def report(what: str, process: Controller, seconds: float) -> None:
    """Measure over a window."""
    before = cpu_seconds(process)
    time.sleep(seconds)
    say(what, process, (cpu_seconds(process) - before) / seconds)


def say(what: str, process: Controller, cpu: float) -> None:
    """Print what was measured."""
    status = Path(f"/proc/{process.process.pid}/status").read_text("utf-8")
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    now, most = (int(sizes[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
    line = f"{what}: {cpu * 1000:.0f}m CPU, {now:.0f} MiB, at most {most:.0f} MiB so far"
    print(line, flush=True)  # noqa: T201 - the report


def cpu_seconds(process: Controller) -> float:
    """Read the CPU time that a process has used."""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
