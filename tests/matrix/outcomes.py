"""What came of the DAGs on one executor, and how that differs from the other's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, order=True)
class Instance:
    """A task instance, by what both sides have in common."""

    dag_id: str
    run: int
    """The DAG's first run is 0: the ids of runs that a DAG starts have a time in them."""
    task_id: str
    map_index: int

    def __str__(self) -> str:
        mapped = "" if self.map_index < 0 else f"[{self.map_index}]"
        return f"{self.dag_id}, run {self.run}: {self.task_id}{mapped}"


@dataclass(frozen=True)
class End:
    """How a task instance ended."""

    state: str
    tries: int

    @classmethod
    def of(cls, instance: Mapping[str, Any]) -> Self:
        """Take it from the REST API's task instance."""
        return cls(instance["state"] or "none", instance["try_number"])

    def __str__(self) -> str:
        return f"{self.state} after {self.tries} tries"


@dataclass(frozen=True)
class Outcome:
    """All that one side came to."""

    runs: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Each DAG run's state."""
    instances: Mapping[Instance, End] = field(default_factory=dict)


def differences(local: Outcome, batchtask: Outcome) -> list[str]:
    """Say where the two sides differ, run by run and task by task."""
    runs = _unequal(local.runs, batchtask.runs)
    instances = _unequal(local.instances, batchtask.instances)
    return [f"{dag_id}, run {number}: {how}" for (dag_id, number), how in runs] + [
        f"{instance}: {how}" for instance, how in instances
    ]


def only_local_fell(local: Outcome, batchtask: Outcome) -> bool:
    """Tell whether runs failed on LocalExecutor alone, and nothing else differs between runs.

    Airflow fails a good task now and then: when it is told late of an earlier job of the same try
    (tests/integration/database shows it), which LocalExecutor can do, or on SQLite's locks.
    """
    found = [
        (local.runs.get(key), batchtask.runs.get(key))
        for key in local.runs.keys() | batchtask.runs.keys()
        if local.runs.get(key) != batchtask.runs.get(key)
    ]
    return bool(found) and all(ends == ("failed", "success") for ends in found)


def _unequal(
    local: Mapping[Any, object], batchtask: Mapping[Any, object]
) -> Iterable[tuple[Any, str]]:
    for key in sorted(local.keys() | batchtask.keys()):
        one, other = local.get(key, "nothing"), batchtask.get(key, "nothing")
        if one != other:
            yield key, f"{one} on LocalExecutor, {other} on BatchTaskExecutor"
