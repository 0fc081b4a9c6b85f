"""The SubmitJob request of a task: its name, and the way of the workload into the job's shape."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from batchtask_api import BatchTask, Reason, names
from batchtask_controller.batch import JobRequest

COMMAND = ("python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string")

OVERRIDES_LIMIT = 8_192
"""Characters of overrides, JSON included, over which AWS Batch fails a job that it took."""

PAYLOAD_LIMIT = 30 * 1024
"""Bytes of a SubmitJob request over which AWS Batch refuses it."""

_OVERRIDES = ("containerOverrides", "ecsPropertiesOverride", "eksPropertiesOverride")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, for programs and for people."""

    reason: Reason
    message: str


class Invalid(Exception):
    """The task's spec makes no job."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(Reason.INVALID_SPEC, message)


def job_name(task: BatchTask, attempt: int) -> str:
    """The job's name: the same at every try to find it, and no other task's.

    AWS Batch takes at most 128 letters, digits, `-` and `_`, and compares without case.
    """
    return f"{job_name_prefix(task)}{attempt}"


def job_name_prefix(task: BatchTask) -> str:
    """What the names of all jobs of this task start with."""
    airflow = task.spec.airflow
    words = (airflow.dag_id, airflow.task_id) if airflow else (task.metadata.name,)
    readable = [_plain(word)[:40] for word in words]
    return "-".join([*readable, task.metadata.uid, ""])


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", word.lower()).strip("-_") or "x"


def validate(task: BatchTask) -> Problem | None:
    """What is wrong with the task before its workload is known, if anything."""
    try:
        job_request(task, 1, workload="" if task.spec.workload else None, cluster_uid="")
    except Invalid as invalid:
        return invalid.problem
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Only what a laxer CRD let in: ours has the API server check every type.
        return Problem(Reason.INVALID_SPEC, f"spec.job has a field of a wrong type: {error}")
    return None


def job_request(
    task: BatchTask, attempt: int, *, workload: str | None, cluster_uid: str
) -> JobRequest:
    """The whole SubmitJob request.

    Args:
        task: the task to submit.
        attempt: which intent of the task this is.
        workload: the content of its Secret, for a task that names one.
        cluster_uid: tells this cluster's jobs from another's.

    Raises:
        Invalid: the spec makes no job; the message names the field and the way out.
    """
    parameters = copy.deepcopy(dict(task.spec.job))
    _check_queue(parameters)
    if workload is not None:
        _put_command(parameters, task, [*COMMAND, workload])
        parameters.setdefault("retryStrategy", {"attempts": 1})
    parameters["jobName"] = job_name(task, attempt)
    parameters["tags"] = {
        **parameters.get("tags", {}),
        names.TAG_CLUSTER: cluster_uid,
        names.TAG_TASK: task.metadata.uid,
        names.TAG_NAMESPACE: task.metadata.namespace,
    }
    _check_size(parameters, has_workload=workload is not None)
    return JobRequest(parameters["jobName"], parameters)


def _check_queue(parameters: Mapping[str, Any]) -> None:
    queue = parameters.get("jobQueue")
    if not isinstance(queue, str) or not queue:
        said = "is missing" if queue is None else f"is {queue!r}"
        raise Invalid(f"spec.job.jobQueue {said}: give the name or the ARN of a job queue")


def _put_command(parameters: dict[str, Any], task: BatchTask, command: list[str]) -> None:
    path, container, key = _chosen(parameters, task)
    if key in container or "command" in container:
        raise Invalid(
            f"spec.job.{path} has a command beside spec.workload: the workload is the command; "
            "remove one of them"
        )
    container[key] = command


_Container = tuple[str, dict[str, Any], str]
"""A container of the shape: its path, itself, and the key that its command goes by."""


def _containers(parameters: Mapping[str, Any]) -> Iterator[_Container]:
    for index, properties in enumerate(_ecs_tasks(parameters)):
        for number, container in enumerate(properties.get("containers", [])):
            path = f"ecsPropertiesOverride.taskProperties[{index}].containers[{number}]"
            yield path, container, "command"
    for number, container in enumerate(_eks_pod(parameters).get("containers", [])):
        yield f"eksPropertiesOverride.podProperties.containers[{number}]", container, "args"


def _ecs_tasks(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = parameters.get("ecsPropertiesOverride", {}).get(
        "taskProperties", []
    )
    return tasks


def _eks_pod(parameters: Mapping[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = parameters.get("eksPropertiesOverride", {}).get("podProperties", {})
    return pod


def _chosen(parameters: dict[str, Any], task: BatchTask) -> _Container:
    """The container that runs the workload; with EKS by args, since command is the entrypoint."""
    wanted = task.spec.workload.container if task.spec.workload else None
    if not parameters.keys() & {"ecsPropertiesOverride", "eksPropertiesOverride"}:
        overrides = parameters.setdefault("containerOverrides", {})
        return "containerOverrides", overrides, "command"
    candidates = list(_containers(parameters))
    if wanted is not None:
        candidates = [entry for entry in candidates if entry[1].get("name") == wanted]
    if not candidates:
        shape = "ecs" if "ecsPropertiesOverride" in parameters else "eks"
        raise Invalid(
            f"spec.job.{shape}PropertiesOverride has no container"
            + (f" named {wanted!r}, as spec.workload.container says" if wanted else "")
            + ": list the one that runs the workload, with its name"
        )
    return candidates[0]


def _check_size(parameters: Mapping[str, Any], *, has_workload: bool) -> None:
    advice = (
        "; the Airflow workload is a part of it: shorten ids, environment or executor_config"
        if has_workload
        else "; put long commands into the image or a file that the job reads"
    )
    for name in _OVERRIDES:
        size = len(json.dumps(parameters[name])) if name in parameters else 0
        if size > OVERRIDES_LIMIT:
            raise Invalid(
                f"spec.job.{name} has {size:,} characters with the command; AWS Batch takes at "
                f"most {OVERRIDES_LIMIT:,}{advice}"
            )
    size = len(json.dumps(parameters).encode())
    if size > PAYLOAD_LIMIT:
        raise Invalid(
            f"spec.job has {size:,} bytes; AWS Batch takes at most {PAYLOAD_LIMIT:,}{advice}"
        )
