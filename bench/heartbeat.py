"""How long the scheduler's loop stands still for many workloads at once."""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.ground import JOB_DEFINITION, QUEUE, batch, cluster, slow_kubeconfig
from bench.schedulers import IDLE_SECONDS, AwsBatch, Ours, Rival, Scheduler

_ROW = "{:<34} {:>12} {:>12} {:>12} {:>14}"


def measure(tasks: int, latency: float) -> Iterator[str]:
    """Give the lines of the table, each when it is known."""
    yield f"heartbeat() with {tasks} workloads queued; each call to a server takes {latency} s"
    yield _ROW.format("", "first", "longest", "all", "handed over in")
    with cluster() as on, slow_kubeconfig(on.server, latency) as kubeconfig:
        ours = Ours(kubeconfig, on.namespace, QUEUE, JOB_DEFINITION)
        scheduler, seconds = _run(ours, tasks)
        ours.executor.end()
        yield _row(ours.name, scheduler, seconds)
    yield _down(tasks)
    with batch(latency=latency) as aws:
        theirs = AwsBatch(aws.url, QUEUE, JOB_DEFINITION)
        other, seconds = _run(theirs, tasks)
        yield _row(theirs.name, other, seconds)
    longest, all_of = (f(other.heartbeats) / f(scheduler.heartbeats) for f in (max, sum))
    yield f"AwsBatchExecutor / BatchTaskExecutor: longest {longest:.0f}, all {all_of:.0f}"


def _run(rival: Rival, tasks: int) -> tuple[Scheduler, float]:
    scheduler = Scheduler(rival)
    scheduler.queue(tasks)
    begun = time.perf_counter()
    while True:
        scheduler.loop()
        if rival.handed_over() >= tasks:
            return scheduler, time.perf_counter() - begun
        time.sleep(IDLE_SECONDS)


def _down(tasks: int) -> str:
    with cluster() as on, slow_kubeconfig(on.server, 0) as kubeconfig:
        text = kubeconfig.read_text(encoding="utf-8")
        server = next(line for line in text.splitlines() if "server:" in line)
        gone = Path(kubeconfig).with_name("gone")
        gone.write_text(text.replace(server.split()[1], "https://127.0.0.1:9"), encoding="utf-8")
        ours = Ours(gone, on.namespace, QUEUE, JOB_DEFINITION)
        scheduler = Scheduler(ours)
        scheduler.queue(tasks)
        for _ in range(10):
            scheduler.loop()
            time.sleep(IDLE_SECONDS)
        ours.executor.end()
        return _row(f"{ours.name}, API server down", scheduler, None)


def _row(name: str, scheduler: Scheduler, seconds: float | None) -> str:
    times = scheduler.heartbeats
    figures = [f"{value * 1000:.0f} ms" for value in (times[0], max(times), sum(times))]
    return _ROW.format(name, *figures, "never" if seconds is None else f"{seconds:.0f} s")
