"""Short forms of what most tasks ask for, and how each shape of job says it."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Self

from pydantic import JsonValue

from batchtask_executor.jobs.job_shape import Shape
from batchtask_executor.jobs.shape import Misfit, kind

_MEMORY: Final = re.compile(r"(\d+(?:\.\d+)?)(Mi|Gi|Ti)?")
_MIB: Final = {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024, None: 1}
_MOST: Final = 2**31
"""Of SubmitJob's integers."""
_SHORTEST_TIMEOUT: Final = 60
"""AWS Batch takes no shorter one."""


@dataclass(frozen=True, slots=True)
class ShortForms:
    """What the short forms said; None and an empty environment where they said nothing."""

    cpu: str | None = None
    memory: int | None = None
    """In MiB."""
    gpu: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: int | None = None
    """In seconds."""

    @classmethod
    def take(cls, given: Mapping[Any, Any], path: str) -> tuple[Self, dict[Any, Any]]:
        """Split what a user wrote into its short forms and the rest.

        Raises:
            Misfit: a short form's value can't be used, or its name is misspelled.
        """
        rest = dict(given)
        found: dict[str, Any] = {}
        for name, read in _READERS.items():
            if name in rest and not (name == "timeout" and isinstance(rest[name], Mapping)):
                found[name] = read(rest.pop(name), f"{path}.{name}")
        for key in rest:
            near = difflib.get_close_matches(str(key)[:80], _READERS, n=1, cutoff=0.7)
            if near and key not in _READERS:  # SubmitJob's own `timeout` is left
                raise Misfit(f"{path}.{str(key)[:80]} is unknown; did you mean {near[0]}?")
        return cls(**found), rest

    def request(self, shape: Shape, container: str | None) -> dict[str, Any]:
        """The part of a SubmitJob request that says the same."""
        of_container = self._of_pod() if shape is Shape.EKS else self._of_container()
        request = shape.override(of_container, container)
        if self.timeout is not None:
            request["timeout"] = {"attemptDurationSeconds": self.timeout}
        return request

    def _of_container(self) -> dict[str, JsonValue]:
        wanted = {"VCPU": self.cpu, "MEMORY": self.memory, "GPU": self.gpu}
        found: dict[str, JsonValue] = {}
        needs: list[JsonValue] = [
            {"type": name, "value": str(value)}
            for name, value in wanted.items()
            if value is not None
        ]
        if needs:
            found["resourceRequirements"] = needs
        if self.env:
            found["environment"] = self._variables()
        return found

    def _of_pod(self) -> dict[str, JsonValue]:
        memory = None if self.memory is None else f"{self.memory}Mi"
        gpu = None if self.gpu is None else str(self.gpu)
        wanted = {"cpu": self.cpu, "memory": memory, "nvidia.com/gpu": gpu}
        found: dict[str, JsonValue] = {}
        if needs := {name: value for name, value in wanted.items() if value is not None}:
            # AWS Batch wants them equal where the definition has both.
            found["resources"] = {"limits": {**needs}, "requests": {**needs}}
        if self.env:
            found["env"] = self._variables()
        return found

    def _variables(self) -> list[JsonValue]:
        return [{"name": name, "value": value} for name, value in self.env.items()]


def _cpu(value: object, path: str) -> str:
    number = _decimal(value if isinstance(value, str) else _number(value) or 0)
    if not 0 < number < _MOST:
        raise Misfit(f"{path} must be a number of vCPUs, such as 4 or 0.25, {_not(value)}")
    return f"{number.normalize():f}"


def _memory(value: object, path: str) -> int:
    match = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    mebibytes = Decimal(match[1]) * _MIB[match[2]] if match else Decimal(_whole(value))
    if not 0 < mebibytes < _MOST or mebibytes % 1:
        raise Misfit(f"{path} must be whole MiB, such as 8192, '8192Mi' or '8Gi', {_not(value)}")
    return int(mebibytes)


def _gpu(value: object, path: str) -> int:
    number = _whole(value)
    if not 0 < number < _MOST:
        raise Misfit(f"{path} must be 1 or more, {_not(value)}; leave it out for none")
    return number


def _env(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Misfit(f'{path} must be an object, such as {{"NAME": "value"}}, {_not(value)}')
    for name, content in value.items():
        if not isinstance(name, str) or not name:
            raise Misfit(f"{path} has a name that is no string, or empty")
        if not isinstance(content, str):  # it may be secret: its type alone is told
            quotes = "; put it in quotes" if isinstance(content, int | float) else ""
            raise Misfit(f"{path}.{name[:80]} must be a string, not {kind(content)}{quotes}")
    return dict(value)


def _timeout(value: object, path: str) -> int:
    seconds = _whole(value.total_seconds() if isinstance(value, timedelta) else value)
    if not _SHORTEST_TIMEOUT <= seconds < _MOST:
        raise Misfit(
            f"{path} must be whole seconds, {_SHORTEST_TIMEOUT} or more, or a timedelta of so "
            f"much, {_not(value)}"
        )
    return seconds


def _number(value: object) -> int | float | None:
    """The value if it is a number of a size that AWS Batch might take."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _MOST else None


def _whole(value: object) -> int:
    """The whole number that the value is, else 0, which none of the short forms takes."""
    number = _number(value)
    return int(number) if number is not None and number == int(number) else 0


def _decimal(value: str | float) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)


def _not(value: object) -> str:
    is_told = isinstance(value, str) or _number(value) is not None
    return f"not {value!r:.40}" if is_told else f"not {kind(value)}"


_READERS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "cpu": _cpu,
    "memory": _memory,
    "gpu": _gpu,
    "env": _env,
    "timeout": _timeout,
}
