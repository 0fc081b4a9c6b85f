"""`airflow batchtask probe`."""

import sys
import time
import uuid
from argparse import Namespace
from typing import Final

from batchtask_api import BatchTask, Phase, submit_job
from batchtask_executor.checks.probe import probe_task, progress, verdict
from batchtask_executor.cli.configuration import option, say, settings_or_exit
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.tasks import BatchTasks, TasksError
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import BadJob, JobBuilder

_LOOKS_SECONDS: Final = 2.0


def probe(args: Namespace) -> None:
    """Run a job that asks for the execution API, and print what it found."""
    settings = settings_or_exit()
    tasks = KubeBatchTasks(settings, connections=1)
    try:
        task = tasks.create(_task(settings, args.queue))
        say(f"BatchTask {task}")
        finished = _followed(tasks, task.metadata.name, args.wait)
    except (BadJob, TasksError) as error:
        sys.exit(str(error))
    for line in verdict(finished):
        say(line)
    if finished.status.phase is not Phase.SUCCEEDED:
        sys.exit(1)


def _task(settings: Settings, queue: str | None) -> BatchTask:
    queue = queue or option("operators", "default_queue") or "default"
    job = JobBuilder(settings, submit_job.schema()).job(queue)
    name = f"probe-{uuid.uuid4().hex[:8]}"
    return probe_task(job, namespace=settings.namespace, name=name)


def _followed(tasks: BatchTasks, name: str, seconds: float) -> BatchTask:
    end = time.monotonic() + seconds
    shown = ""
    while True:
        task = tasks.get(name)
        if task is None:
            sys.exit("the BatchTask was deleted")
        if (now := progress(task)) != shown:
            say(shown := now)
        if task.status.phase.is_finished:
            return task
        if time.monotonic() > end:
            sys.exit(f"the BatchTask is not at its end after {seconds:.0f} s, and goes on")
        time.sleep(_LOOKS_SECONDS)
