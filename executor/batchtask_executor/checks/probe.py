"""A BatchTask that asks, from inside a job, whether Airflow's execution API can be reached."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from batchtask_api import BatchTask, BatchTaskSpec, ConditionType, Metadata, Phase
from batchtask_executor.checks import probe_script
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.job_shape import Shape
from batchtask_executor.jobs.merge import merge

MEANINGS: Final[Mapping[int, str]] = {
    probe_script.NOT_SET: f"the container has no usable {probe_script.VARIABLE}",
    probe_script.NO_NAME: "DNS: the API's name has no address in the job's network",
    probe_script.NO_CONNECTION: "TCP: the API's address and port can't be connected to",
    probe_script.NO_TLS: "TLS: the connection can't be secured, its certificate for example",
    probe_script.BAD_ANSWER: "HTTP: something answers, but not with success",
    probe_script.BAD_PATH: "path: something answers, but not the execution API",
}
"""What the script's exit codes say, for where the job's output can't be read."""

_ONCE: Final[Mapping[str, Any]] = {
    "retryStrategy": {"attempts": 1},
    "timeout": {"attemptDurationSeconds": 120},
}


def command() -> Sequence[str]:
    """The command that asks; nothing of this project's needs to be in the image."""
    return ["python", "-c", resources.files(__package__).joinpath("probe_script.py").read_text()]


def probe_task(job: Job, *, namespace: str, name: str) -> BatchTask:
    """Make the task, of the request that a task of an Airflow queue would be made of.

    It has no label of the instance: the executor neither follows nor cancels it.
    """
    shape = Shape.of(job.parameters)
    listed = [container.get("name") for _, container in shape.containers(job.parameters)]
    runs_in = job.container or next(iter(listed), None)
    key = "args" if shape is Shape.EKS else "command"
    asks = shape.override({key: list(command())}, runs_in)
    return BatchTask(
        metadata=Metadata(name=name, namespace=namespace),
        spec=BatchTaskSpec(job=merge(merge(job.parameters, _ONCE), asks)),
    )


def progress(task: BatchTask) -> str:
    """Where the task stands, in a line."""
    blocked = task.status.condition(ConditionType.BLOCKED)
    why = f": {blocked.message}" if blocked and blocked.status == "True" else ""
    return f"{task.status.phase}{why}"


def verdict(task: BatchTask) -> Iterator[str]:
    """What a finished probe has found, in lines; the last one says it."""
    status = task.status
    if status.phase is Phase.SUCCEEDED:
        yield "a job reached Airflow's execution API"
        return
    if status.log_tail:
        yield from status.log_tail
    elif meaning := MEANINGS.get(status.exit_code or 0):
        yield meaning
    elif succeeded := status.condition(ConditionType.SUCCEEDED):
        yield f"the job did not run the probe: {succeeded.reason}: {succeeded.message}"
