"""How fast the controller submits, and how often it writes to the cluster."""

import time
from collections.abc import Iterator

from batchtask_local.batch import LocalBatchHandle
from bench.ground import QUEUE, Cluster, batch, cluster, controller
from integration.faults.world import World, a_task

_ROW = "{:<26} {:>16} {:>18} {:>16} {:>12}"
_BUDGETS = {"default budget (40 a s)": 40, "budget of 1,000 a s": 1000}
_JOB_SECONDS = 5
_LOOK_SECONDS = 1


def measure(tasks: int) -> Iterator[str]:
    """Give the lines of the table."""
    yield f"controller: {tasks} BatchTasks that are there when it starts, jobs of {_JOB_SECONDS} s"
    yield _ROW.format("", "submitted a s", "status patches", "AWS calls", "ended in")
    for name, budget in _BUDGETS.items():
        with cluster() as on, batch(job_seconds=_JOB_SECONDS) as aws:
            yield _ROW.format(name, *_run(on, aws, tasks, budget))


def _run(on: Cluster, aws: LocalBatchHandle, tasks: int, budget: int) -> tuple[str, ...]:
    world = World(on.server, on.namespace, aws)
    world.create(*(a_task(f"t{number}", queue=QUEUE) for number in range(tasks)))
    with controller(on, aws, budget=budget) as process:
        begun = time.perf_counter()
        # Not a list of the tasks: the API server would be busy with nothing else at 10,000.
        while process.metric("batchtask_tasks", phase="Succeeded") < tasks:
            time.sleep(_LOOK_SECONDS)
        ended = time.perf_counter() - begun
        patches = process.metric("batchtask_status_patches_total", outcome="ok") / tasks
    calls = len(aws.journal()) / tasks
    sent = [entry.time / 1000 for entry in aws.journal("SubmitJob")]
    rate = (len(sent) - 1) / (max(sent) - min(sent))
    return f"{rate:.0f}", f"{patches:.2f} a task", f"{calls:.2f} a task", f"{ended:.0f} s"
