"""The three shapes of a job's overrides, of which a job has the one that its definition has."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from pydantic import JsonValue

_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "ecs": ("ecsPropertiesOverride", "ecsProperties"),
    "eks": ("eksPropertiesOverride", "eksProperties"),
    "container": ("containerOverrides", "containerProperties"),
}


class Shape(StrEnum):
    """How a job definition describes what it runs."""

    CONTAINER = "container"
    ECS = "ecs"
    EKS = "eks"

    @property
    def overrides(self) -> str:
        """SubmitJob's key of the overrides that go with this shape."""
        return _PLACES[self.value][0]

    @property
    def definition(self) -> str:
        """What a job definition of this shape has."""
        return _PLACES[self.value][1]

    @property
    def variables(self) -> str:
        """A container's key of its environment variables."""
        return "env" if self is Shape.EKS else "environment"

    @classmethod
    def of(cls, *requests: Mapping[str, Any]) -> "Shape":
        """The shape whose overrides stand in the requests; the single container where none do."""
        found = (each for each in (cls.ECS, cls.EKS) if any(each.overrides in r for r in requests))
        return next(found, cls.CONTAINER)

    def others_in(self, request: Mapping[str, Any]) -> Sequence["Shape"]:
        """The other shapes whose overrides stand in the request as well."""
        return [other for other in Shape if other is not self and request.get(other.overrides)]

    def containers(self, request: Mapping[str, Any]) -> Sequence[tuple[str, dict[str, Any]]]:
        """The containers that the request overrides, each with its path."""
        overrides = request.get(self.overrides, {})
        match self:
            case Shape.CONTAINER:
                return [(self.overrides, overrides)] if overrides else []
            case Shape.ECS:
                return [
                    (f"{self.overrides}.taskProperties[{number}].containers[{index}]", container)
                    for number, task in enumerate(overrides.get("taskProperties", []))
                    for index, container in enumerate(task.get("containers", []))
                ]
            case Shape.EKS:
                found = overrides.get("podProperties", {}).get("containers", [])
                place = f"{self.overrides}.podProperties.containers"
                return [(f"{place}[{index}]", container) for index, container in enumerate(found)]

    def override(self, container: Mapping[str, JsonValue], name: str | None) -> dict[str, Any]:
        """The part of a request that overrides this much of the container of that name."""
        named = ({"name": name} if name else {}) | dict(container)
        match self:
            case Shape.CONTAINER:
                return {self.overrides: dict(container)} if container else {}
            case Shape.ECS:
                return {self.overrides: {"taskProperties": [{"containers": [named]}]}}
            case Shape.EKS:
                return {self.overrides: {"podProperties": {"containers": [named]}}}
