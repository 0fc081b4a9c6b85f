"""How many calls to AWS Batch a task costs, from its submission to the end of its job."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from batchtask_local.batch import LocalBatchHandle
from bench.ground import JOB_DEFINITION, QUEUE, batch, cluster, controller
from bench.schedulers import IDLE_SECONDS, AwsBatch, Ours, Rival, Scheduler

_ROW = "{:<20} {:>10} {:>12} {:>8} {:>10} {:>10}"


def measure(tasks: int, seconds: float) -> Iterator[str]:
    """Give the lines of the table; both executors run at the same time, each on its own Batch."""
    yield f"AWS calls of {tasks} tasks, each with a job of {seconds:.0f} s"
    yield _ROW.format("", "SubmitJob", "DescribeJobs", "others", "a task", "ended in")
    with (
        cluster() as on,
        batch(job_seconds=seconds) as ours_batch,
        batch(job_seconds=seconds) as their_batch,
        controller(on, ours_batch),
        ThreadPoolExecutor(2) as threads,
    ):
        ours = Ours(on.server.kubeconfig, on.namespace, QUEUE, JOB_DEFINITION)
        theirs = AwsBatch(their_batch.url, QUEUE, JOB_DEFINITION)
        rivals: tuple[Rival, ...] = (ours, theirs)
        runs = [threads.submit(_run, rival, tasks) for rival in rivals]
        ended = [run.result() for run in runs]
        ours.executor.end()
        counts = [_counts(each) for each in (ours_batch, their_batch)]
    for rival, count, duration in zip(rivals, counts, ended, strict=True):
        yield _row(rival.name, count, tasks, duration)
    ratio = counts[1].total() / counts[0].total()
    yield f"AwsBatchExecutor / BatchTaskExecutor: {ratio:.1f}"


def _run(rival: Rival, tasks: int) -> float:
    scheduler = Scheduler(rival)
    scheduler.queue(tasks)
    begun = time.perf_counter()
    while scheduler.events["success"] < tasks:
        scheduler.loop()
        time.sleep(IDLE_SECONDS)
    return time.perf_counter() - begun


def _counts(of: LocalBatchHandle) -> Counter[str]:
    return Counter(entry.operation for entry in of.journal())


def _row(name: str, counts: Counter[str], tasks: int, seconds: float) -> str:
    submits, describes = counts["SubmitJob"], counts["DescribeJobs"]
    others = counts.total() - submits - describes
    each = f"{counts.total() / tasks:.2f}"
    return _ROW.format(name, submits, describes, others, each, f"{seconds:.0f} s")
