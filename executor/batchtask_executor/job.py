"""The SubmitJob request of a workload, from the configuration and its executor_config."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from batchtask_executor.config import SECTION, QueueSettings, Settings
from batchtask_executor.merge import merge
from batchtask_executor.shape import Misfit, conform, missing

_PATH: Final = "executor_config"

_NOT_WITH_A_WORKLOAD: Final = {
    "arrayProperties": "each child would start the same Airflow task; use Airflow's mapped tasks",
    "nodeOverrides": "each node would start the same Airflow task",
}
_THE_WORKLOAD_IS_IT: Final = "is the Airflow workload's own place; remove it"
_JOB_NAME_DROPPED: Final = (
    "the job's name was dropped: the controller finds a job by the name that it gave it"
)


class BadJob(ValueError):
    """No request can be made; the message names the key or option at fault and the way out."""


@dataclass(frozen=True)
class Job:
    """What `spec.job` and `spec.workload.container` are to be."""

    parameters: Mapping[str, JsonValue]
    container: str | None = None
    notes: tuple[str, ...] = ()
    """What was left out of what the user gave, for people."""


class JobBuilder:
    """Makes each workload's request from what the configuration says for its Airflow queue."""

    def __init__(self, settings: Settings, schema: Mapping[str, Any]) -> None:
        """Check the configuration's own part of all requests.

        Raises:
            BadJob: an option holds what SubmitJob doesn't know.
        """
        self._schema = schema
        self._default = self._layer(Job({}), settings, "")
        self._queues = {
            name: self._layer(self._default, queue, f"queues.{name}.")
            for name, queue in settings.queues.items()
        }
        self.notes = (*self._default.notes, *(n for q in self._queues.values() for n in q.notes))
        """What was left out of the configuration, for people."""

    def job(self, queue: str, executor_config: object = None) -> Job:
        """Make the request of a workload of this Airflow queue.

        Raises:
            BadJob: executor_config can't be used, or the request lacks something.
        """
        base = self._queues.get(queue, self._default)
        own, notes = self._conform(executor_config or {}, _PATH)
        parameters = merge(base.parameters, own)
        _check(parameters, self._schema, queue, base.container)
        return Job(parameters, base.container, notes)

    def _layer(self, base: Job, of: Settings | QueueSettings, place: str) -> Job:
        single = {"jobQueue": of.job_queue, "jobDefinition": of.job_definition}
        given: dict[str, JsonValue] = {key: value for key, value in single.items() if value}
        kwargs, notes = self._conform(of.submit_job_kwargs, f"[{SECTION}] {place}submit_job_kwargs")
        parameters = merge(merge(base.parameters, given), kwargs)
        return Job(parameters, of.container or base.container, notes)

    def _conform(self, value: object, path: str) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
        """Return the value in SubmitJob's spelling, and notes on what was dropped from it."""
        notes: tuple[str, ...] = ()
        if isinstance(value, Mapping):
            if "command" in value:
                raise BadJob(f"{path}.command {_THE_WORKLOAD_IS_IT}")
            kept = {k: v for k, v in value.items() if k not in ("jobName", "job_name")}
            if len(kept) < len(value):
                notes = (f"{path}: {_JOB_NAME_DROPPED}",)
            value = kept
        try:
            found = conform(value, self._schema, path)
        except Misfit as misfit:
            raise BadJob(str(misfit)) from misfit
        if not isinstance(found, dict):
            raise BadJob(f"{path} must be an object")
        return found, notes


def _check(
    parameters: Mapping[str, JsonValue],
    schema: Mapping[str, Any],
    queue: str,
    container: str | None,
) -> None:
    for name, option in (("jobQueue", "job_queue"), ("jobDefinition", "job_definition")):
        if not parameters.get(name):
            raise BadJob(
                f"no {name} for Airflow's queue {queue!r}: set [{SECTION}] {option}, or give it "
                f"in [{SECTION}] queues, or in the task's executor_config"
            )
    for name, why in _NOT_WITH_A_WORKLOAD.items():
        if name in parameters:
            raise BadJob(f"{name} can't be used with an Airflow task: {why}")
    for path in _commands(parameters, container):
        raise BadJob(f"{path} {_THE_WORKLOAD_IS_IT}")
    for path in missing(dict(parameters), schema, "job"):
        raise BadJob(f"{path.removeprefix('job.')} is missing")


def _commands(parameters: Mapping[str, Any], named: str | None) -> Iterator[str]:
    """Yield the path of every command that stands where the workload's would go."""
    if "command" in parameters.get("containerOverrides", {}):
        yield "containerOverrides.command"
    for containers, keys in _shapes(parameters):
        runs = [(path, one) for path, one in containers if named in (None, one.get("name"))]
        for path, container in runs[:1]:
            yield from (f"{path}.{key}" for key in sorted(keys & container.keys()))


def _shapes(
    parameters: Mapping[str, Any],
) -> Iterator[tuple[Sequence[tuple[str, Mapping[str, Any]]], frozenset[str]]]:
    """Yield the ECS and the EKS containers with their paths, and the keys of a command there."""
    tasks = parameters.get("ecsPropertiesOverride", {}).get("taskProperties", [])
    ecs = [
        (f"ecsPropertiesOverride.taskProperties[{number}].containers[{index}]", container)
        for number, properties in enumerate(tasks)
        for index, container in enumerate(properties.get("containers", []))
    ]
    pod = parameters.get("eksPropertiesOverride", {}).get("podProperties", {})
    eks = [
        (f"eksPropertiesOverride.podProperties.containers[{index}]", container)
        for index, container in enumerate(pod.get("containers", []))
    ]
    yield ecs, frozenset({"command"})
    yield eks, frozenset({"command", "args"})
