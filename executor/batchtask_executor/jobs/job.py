"""The SubmitJob request of a workload, from the configuration and its executor_config."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final, cast

from pydantic import JsonValue

from batchtask_executor.config import SECTION, QueueSettings, Settings
from batchtask_executor.jobs.job_shape import Shape
from batchtask_executor.jobs.merge import merge
from batchtask_executor.jobs.shape import Misfit, conform, kind, missing
from batchtask_executor.jobs.short_forms import ShortForms

_PATH: Final = "executor_config"

JOB_NAME: Final = ("jobName", "job_name", "JobName")
"""The ways to give what the controller gives."""

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


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one place says of a request."""

    short: ShortForms
    parameters: Mapping[str, JsonValue]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Queue:
    """What the configuration says of all requests of an Airflow queue."""

    layers: tuple[_Layer, ...]
    shape: Shape | None
    container: str | None


class JobBuilder:
    """Makes each workload's request from what the configuration says for its Airflow queue."""

    def __init__(self, settings: Settings, schema: Mapping[str, Any]) -> None:
        """Check the configuration's own part of all requests.

        Raises:
            BadJob: an option holds what SubmitJob doesn't know.
        """
        self._schema = schema
        section = self._layer(settings, "")
        self._default = _Queue((section,), settings.shape, settings.container)
        self._queues = {
            name: _Queue(
                (section, self._layer(queue, f"queues.{name}.")),
                queue.shape or settings.shape,
                queue.container or settings.container,
            )
            for name, queue in settings.queues.items()
        }
        self.notes = (
            *section.notes,
            *(note for queue in self._queues.values() for note in queue.layers[-1].notes),
        )
        """What was left out of the configuration, for people."""

    def job(self, queue: str, executor_config: object = None) -> Job:
        """Make the request of a workload of this Airflow queue.

        Raises:
            BadJob: executor_config can't be used, or the request lacks something.
        """
        base = self._queues.get(queue, self._default)
        own = self._read(executor_config or {}, _PATH)
        layers = (*base.layers, own)
        shape = base.shape or Shape.of(*(layer.parameters for layer in layers))
        parameters = _laid(layers, shape, base.container)
        _check(parameters, self._schema, queue, shape, base.container)
        return Job(parameters, base.container, own.notes)

    def _layer(self, of: Settings | QueueSettings, place: str) -> _Layer:
        single = {"jobQueue": of.job_queue, "jobDefinition": of.job_definition}
        given: dict[str, JsonValue] = {key: value for key, value in single.items() if value}
        kwargs = self._read(of.submit_job_kwargs, f"[{SECTION}] {place}submit_job_kwargs")
        return replace(kwargs, parameters=merge(given, kwargs.parameters))

    def _read(self, value: object, path: str) -> _Layer:
        """Read the value in SubmitJob's spelling, with notes on what was dropped from it."""
        if not isinstance(value, Mapping):
            raise BadJob(f"{path} must be an object, not {kind(value)}")
        if "command" in value:
            raise BadJob(f"{path}.command {_THE_WORKLOAD_IS_IT}")
        kept = {k: v for k, v in value.items() if k not in JOB_NAME}
        notes = (f"{path}: {_JOB_NAME_DROPPED}",) if len(kept) < len(value) else ()
        try:
            short, rest = ShortForms.take(_without_empty_command(kept), path)
            found = conform(rest, self._schema, path)
        except Misfit as misfit:
            raise BadJob(str(misfit)) from misfit
        return _Layer(short, cast("dict[str, JsonValue]", found), notes)


def _without_empty_command(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """Drop the empty command that AwsBatchExecutor's configuration may have."""
    found = dict(value)
    for key in ("containerOverrides", "container_overrides"):
        overrides = found.get(key)
        if isinstance(overrides, Mapping) and overrides.get("command", True) in (None, "", [], ()):
            found[key] = {name: each for name, each in overrides.items() if name != "command"}
    return found


def _laid(layers: Sequence[_Layer], shape: Shape, container: str | None) -> Mapping[str, JsonValue]:
    """Lay the layers over each other; within one, SubmitJob's own keys go over the short forms."""
    spelled_out = reduce(merge, (layer.parameters for layer in layers))
    listed = [one.get("name") for _, one in shape.containers(spelled_out)]
    name = container or (listed[0] if listed else None)
    found: dict[str, JsonValue] = shape.override({}, name)  # where the workload goes
    for layer in layers:
        found = merge(merge(found, layer.short.request(shape, name)), layer.parameters)
    others = {other.overrides for other in Shape if other is not shape}
    return {key: value for key, value in found.items() if value or key not in others}


def _check(
    parameters: Mapping[str, JsonValue],
    schema: Mapping[str, Any],
    queue: str,
    shape: Shape,
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
    for other in shape.others_in(parameters):
        raise BadJob(
            f"{other.overrides} is for job definitions with {other.definition}, and jobs of "
            f"Airflow's queue {queue!r} have the shape {shape}: use {shape.overrides}, or the "
            f"short forms cpu, memory, gpu and env, or set [{SECTION}] shape, or that of the queue"
        )
    for path in _commands(parameters, shape, container):
        raise BadJob(f"{path} {_THE_WORKLOAD_IS_IT}")
    for path in missing(dict(parameters), schema, "job"):
        raise BadJob(f"{path.removeprefix('job.')} is missing")


def _commands(parameters: Mapping[str, Any], shape: Shape, named: str | None) -> Iterator[str]:
    """Yield the path of every command that stands where the workload's would go."""
    keys = ("args", "command") if shape is Shape.EKS else ("command",)
    runs = [
        (path, one)
        for path, one in shape.containers(parameters)
        if shape is Shape.CONTAINER or named in (None, one.get("name"))
    ]
    for path, container in runs[:1]:
        yield from (f"{path}.{key}" for key in keys if key in container)
