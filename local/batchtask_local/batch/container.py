"""What a job runs: its definition's containers with SubmitJob's overrides merged into them."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchtask_local.batch.errors import client_error, refused
from batchtask_local.batch.model import Container, Document, Shape

OVERRIDES = {
    Shape.CONTAINER: "containerOverrides",
    Shape.ECS: "ecsPropertiesOverride",
    Shape.EKS: "eksPropertiesOverride",
}
_CALLED = {
    "containerOverrides": "Container overrides",
    "ecsPropertiesOverride": "ecsPropertiesOverride",
    "eksPropertiesOverride": "eksPropertiesOverride",
}
DEFAULT_NAMES = {Shape.CONTAINER: "default", Shape.ECS: "default", Shape.EKS: "Default"}
_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_-]+)")
_VARIABLE = re.compile(r"\$(\$?)\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_UNITS = {"Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0, "Ti": 1024.0 * 1024}


def shape_of(definition: Document) -> Shape:
    """Return which of the three shapes a registered definition has.

    Raises:
        ApiError: it has none of them, or more than one.
    """
    present = [shape for shape in Shape if shape in definition]
    if len(present) != 1:
        raise refused(f"Exactly one of {', '.join(Shape)} must be provided")
    return present[0]


def resolve(
    definition: Document, request: Document, *, substitutes_parameters: bool = True
) -> Container:
    """Merge a registered definition with a SubmitJob request.

    Of several containers the job runs one: the first whose command or args are overridden, else
    the first. References in its command become the parameters' values, unless told not to.

    Raises:
        ApiError: an override doesn't fit the definition, a reference has no parameter, or a name
            is AWS's own.
    """
    shape = shape_of(definition)
    override = _override(shape, request)
    entries = _containers(shape, definition[shape])
    merged = _merge(entries, _overriding(shape, override), shape)
    if substitutes_parameters:
        parameters = {**definition.get("parameters", {}), **request.get("parameters", {})}
        merged = [_substitute(entry, parameters) for entry in merged]
    main = _main(merged, _overriding(shape, override), shape)
    environment = _environment(main, shape)
    command = [*main.get("command", ()), *main.get("args", ())]
    if shape is Shape.EKS:
        command = [_expand(word, environment) for word in command]
    needs = [_needs(entry, shape) for entry in merged]
    return Container(
        shape=shape,
        name=main.get("name", DEFAULT_NAMES[shape]),
        image=main.get("image", ""),
        command=tuple(command),
        environment=environment,
        millivcpus=sum(need[0] for need in needs),
        memory_mib=sum(need[1] for need in needs),
        gpus=sum(need[2] for need in needs),
        properties=_with_containers(shape, definition[shape], merged),
        overrides_length=len(json.dumps(override, separators=(",", ":"))) if override else 0,
        log_options=main.get("logConfiguration", {}).get("options", {}),
    )


def _override(shape: Shape, request: Document) -> Document:
    for other, key in OVERRIDES.items():
        if other is not shape and request.get(key):
            raise refused(_other_shape(shape, key))
    override: Document = request.get(OVERRIDES[shape], {})
    return override


def _other_shape(shape: Shape, key: str) -> str:
    """AWS's words, so far as they are known: for a definition with containerProperties they aren't.

    Sources: nextflow-io/nextflow#5817 for EKS, a report on Step Functions' BatchSubmitJob for ECS.
    """
    match shape:
        case Shape.ECS:
            return f"{_CALLED[key]} should not be set for ecsProperties jobs."
        case Shape.EKS:
            return f"{_CALLED[key]} or node overrides should not be set for Batch on EKS jobs."
        case Shape.CONTAINER:
            return f"{key} should not be set for containerProperties jobs."


def _containers(shape: Shape, properties: Document) -> Sequence[Document]:
    match shape:
        case Shape.CONTAINER:
            return (properties,)
        case Shape.ECS:
            containers: Sequence[Document] = _only_task(properties).get("containers", ())
        case Shape.EKS:
            containers = properties.get("podProperties", {}).get("containers", ())
    return containers


def _overriding(shape: Shape, override: Document) -> Sequence[Document]:
    if not override:
        return ()
    return _containers(shape, override)


def _only_task(properties: Document) -> Document:
    tasks = properties.get("taskProperties", ())
    if len(tasks) > 1:
        raise refused("taskProperties must have one element")
    return tasks[0] if tasks else {}


def _with_containers(shape: Shape, properties: Document, merged: list[Document]) -> Document:
    """Put the merged containers back to where the shape has them."""
    match shape:
        case Shape.CONTAINER:
            return merged[0]
        case Shape.ECS:
            task = {**_only_task(properties), "containers": merged}
            return {**properties, "taskProperties": [task]}
        case Shape.EKS:
            pod = {**properties.get("podProperties", {}), "containers": merged}
            return {**properties, "podProperties": pod}


def _merge(
    entries: Sequence[Document], overrides: Sequence[Document], shape: Shape
) -> list[Document]:
    if not entries:
        raise refused("The job definition has no container")
    merged = [dict(entry) for entry in entries]
    for position, override in enumerate(overrides):
        index = _target(entries, override, position, shape)
        merged[index] = _overridden(merged[index], override, shape)
    return list(merged)


def _target(entries: Sequence[Document], override: Document, position: int, shape: Shape) -> int:
    """Return which container an override means: by its name, else by its place."""
    name = override.get("name")
    if name is None:
        if position >= len(entries):
            raise refused("There are more container overrides than containers")
        return position
    for index, entry in enumerate(entries):
        if entry.get("name", DEFAULT_NAMES[shape]) == name:
            return index
    raise refused(f"Container {name} is not in the job definition")


def _overridden(entry: Document, override: Document, shape: Shape) -> dict[str, Any]:
    result = {**entry, **{key: value for key, value in override.items() if key != "name"}}
    variables = "env" if shape is Shape.EKS else "environment"
    if variables in entry or variables in override:
        result[variables] = _by_key(entry, override, variables, "name")
    if "resourceRequirements" in override:
        result["resourceRequirements"] = _by_key(entry, override, "resourceRequirements", "type")
    if "resources" in override:
        mine, its = entry.get("resources", {}), override["resources"]
        result["resources"] = {
            key: {**mine.get(key, {}), **its.get(key, {})} for key in {*mine, *its}
        }
    return result


def _by_key(entry: Document, override: Document, member: str, key: str) -> list[Document]:
    """Merge two lists of objects, where an object of the override replaces its namesake."""
    merged = {item.get(key, ""): item for item in entry.get(member, ())}
    merged.update({item.get(key, ""): item for item in override.get(member, ())})
    return list(merged.values())


def _substitute(entry: Document, parameters: Mapping[str, str]) -> Document:
    if "command" not in entry:
        return entry
    return {**entry, "command": [_parameter(word, parameters) for word in entry["command"]]}


def _parameter(word: str, parameters: Mapping[str, str]) -> str:
    reference = _REFERENCE.fullmatch(word)
    if reference is None:
        return word
    name = reference.group(1)
    if name not in parameters:
        raise client_error(f"Unable to substitute value. No parameter found for reference {name}")
    return parameters[name]


def _main(merged: Sequence[Document], overrides: Sequence[Document], shape: Shape) -> Document:
    for position, override in enumerate(overrides):
        if "command" in override or "args" in override:
            return merged[_target(merged, override, position, shape)]
    return merged[0]


def _environment(entry: Document, shape: Shape) -> dict[str, str]:
    variables = entry.get("env" if shape is Shape.EKS else "environment", ())
    environment = {item.get("name", ""): item.get("value", "") for item in variables}
    reserved = [name for name in environment if name.startswith("AWS_BATCH")]
    if reserved:
        raise refused(f"Environment variables cannot start with AWS_BATCH: {reserved[0]}")
    environment.pop("", None)
    return environment


def _expand(word: str, environment: Mapping[str, str]) -> str:
    """Expand `$(NAME)` as Kubernetes does in a pod's command and args; `$$(NAME)` escapes it."""

    def value(match: re.Match[str]) -> str:
        escape, name = match.groups()
        if escape:
            return match.group(0)[1:]
        return environment.get(name, match.group(0))

    return _VARIABLE.sub(value, word)


def _needs(entry: Document, shape: Shape) -> tuple[int, int, int]:
    """Return thousandths of vCPUs, MiB of memory, and GPUs."""
    try:
        return _eks_needs(entry) if shape is Shape.EKS else _ecs_needs(entry)
    except ValueError:
        raise refused(
            f"Resource requirements must be numbers: {json.dumps(_requirements(entry))}"
        ) from None


def _requirements(entry: Document) -> object:
    return entry.get("resources", entry.get("resourceRequirements"))


def _ecs_needs(entry: Document) -> tuple[int, int, int]:
    needs: dict[str, str] = {
        item["type"]: item["value"] for item in entry.get("resourceRequirements", ())
    }
    vcpus = float(needs.get("VCPU") or entry.get("vcpus", 0))
    memory = int(needs.get("MEMORY") or entry.get("memory", 0))
    return round(vcpus * 1000), memory, int(needs.get("GPU", 0))


def _eks_needs(entry: Document) -> tuple[int, int, int]:
    resources = entry.get("resources", {})
    needs = {**resources.get("requests", {}), **resources.get("limits", {})}
    cpu: str = needs.get("cpu", "0")
    memory: str = needs.get("memory", "0Mi")
    millis = float(cpu[:-1]) if cpu.endswith("m") else float(cpu) * 1000
    unit = _UNITS.get(memory[-2:])
    if unit is None:
        raise ValueError(memory)
    mebibytes = float(memory[:-2]) * unit
    return round(millis), round(mebibytes), int(needs.get("nvidia.com/gpu", "0"))
