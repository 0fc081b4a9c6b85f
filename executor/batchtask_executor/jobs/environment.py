"""What a job's container is told of Airflow, where nobody else tells it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from batchtask_executor.jobs.job_shape import Shape

EXECUTOR: Final = "AIRFLOW__CORE__EXECUTOR"
MULTI_TEAM: Final = "AIRFLOW__CORE__MULTI_TEAM"


@dataclass(frozen=True, slots=True)
class Executors:
    """The scheduler's [core] executor, and the name in it that DAGs call this executor by.

    A DAG that names an executor can't be parsed where [core] executor lacks that name: its task is
    rescheduled three times, 60 s apart, and fails for a DAG that "could not be found". So each
    container is given the scheduler's value: Airflow looks names up in it and imports nothing.
    """

    configured: str
    name: str
    is_multi_team: bool = False
    """Whether the part of a team counts in that value."""

    def put_into(
        self, parameters: Mapping[str, JsonValue], container: str | None
    ) -> tuple[Mapping[str, JsonValue], tuple[str, ...]]:
        """Add the variables that the user hasn't; return notes for people on what they gave."""
        made = copy.deepcopy(dict(parameters))
        if (place := _place(made, container)) is None:
            return parameters, ()  # the controller says what is wrong with such a shape
        holder, key = place
        variables = holder.setdefault(key, [])
        given = {each.get("name"): each.get("value") for each in variables}
        wanted = {EXECUTOR: self.configured} | ({MULTI_TEAM: "True"} if self.is_multi_team else {})
        variables += [{"name": n, "value": v} for n, v in wanted.items() if n not in given]
        if self.name in str(given.get(EXECUTOR, self.configured)):
            return made, ()
        note = (
            f"{EXECUTOR} is set to a value without {self.name!r} in the job's {key}: a DAG that "
            "names this executor can't be parsed there; add it, or remove the variable"
        )
        return made, (note,)


def _place(parameters: dict[str, Any], container: str | None) -> tuple[dict[str, Any], str] | None:
    """The container that the controller starts the workload in, and its key for variables."""
    shape = Shape.of(parameters)
    if shape is Shape.CONTAINER:
        return parameters.setdefault(shape.overrides, {}), shape.variables
    listed = shape.containers(parameters)
    return next(
        ((one, shape.variables) for _, one in listed if container in (None, one.get("name"))), None
    )
