"""What a job's container is told of Airflow, where nobody else tells it."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

EXECUTOR: Final = "AIRFLOW__CORE__EXECUTOR"


@dataclass(frozen=True, slots=True)
class Executors:
    """The scheduler's [core] executor, and the name in it that DAGs call this executor by.

    A DAG that names an executor can't be parsed where [core] executor lacks that name: its task is
    rescheduled three times, 60 s apart, and fails for a DAG that "could not be found". So each
    container is given the scheduler's value: Airflow looks names up in it and imports nothing.
    """

    configured: str
    name: str

    def put_into(
        self, parameters: Mapping[str, JsonValue], container: str | None
    ) -> tuple[Mapping[str, JsonValue], tuple[str, ...]]:
        """Add the variable unless its user has; return notes for people on what they gave."""
        made = copy.deepcopy(dict(parameters))
        if (place := _place(made, container)) is None:
            return parameters, ()  # the controller says what is wrong with such a shape
        holder, key = place
        variables = holder.setdefault(key, [])
        given = next((each for each in variables if each.get("name") == EXECUTOR), None)
        if given is None:
            variables.append({"name": EXECUTOR, "value": self.configured})
            return made, ()
        if self.name in str(given.get("value")):
            return made, ()
        note = (
            f"{EXECUTOR} is set to a value without {self.name!r} in the job's {key}: a DAG that "
            "names this executor can't be parsed there; add it, or remove the variable"
        )
        return made, (note,)


def _place(parameters: dict[str, Any], container: str | None) -> tuple[dict[str, Any], str] | None:
    """The container that the controller starts the workload in, and its key for variables."""
    if not parameters.keys() & {"ecsPropertiesOverride", "eksPropertiesOverride"}:
        return parameters.setdefault("containerOverrides", {}), "environment"
    candidates = [
        each for each in _containers(parameters) if container in (None, each[0].get("name"))
    ]
    return candidates[0] if candidates else None


def _containers(parameters: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for task in parameters.get("ecsPropertiesOverride", {}).get("taskProperties", []):
        for one in task.get("containers", []):
            yield one, "environment"
    pod = parameters.get("eksPropertiesOverride", {}).get("podProperties", {})
    for one in pod.get("containers", []):
        yield one, "env"
