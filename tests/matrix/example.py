"""What is known of a DAG before it runs, and the choice of few that show every feature."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Feature(StrEnum):
    """Something of Airflow's that an executor has a part in."""

    MAPPED = "mapped tasks"
    MAPPED_GROUP = "mapped task group"
    BRANCH = "branch"
    SKIP = "skip"
    TRIGGER_RULE = "trigger rule"
    SETUP_TEARDOWN = "setup and teardown"
    RESCHEDULE = "reschedule"
    DEFERRABLE = "deferrable"
    RETRIES = "retries"
    PARAMS = "params"
    XCOM = "XCom"
    ASSETS = "assets"
    OTHER_DAG = "another DAG's run"


@dataclass(frozen=True)
class Example:
    """A DAG that could be run on both executors."""

    module: str
    dag_id: str
    tasks: int
    """How many task instances it has at least."""
    features: frozenset[Feature] = frozenset()
    waits_for: frozenset[str] = frozenset()
    """DAGs without whose runs it doesn't end."""
    starts: frozenset[str] = frozenset()
    """Those of them that it starts by itself."""
    consumes: bool = False
    """It reads what other DAGs' runs have written to assets."""
    left_out: str | None = None
    """Why it isn't run at all."""
    is_slow: bool = False
    """It takes minutes by its own design."""

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        listed = asdict(self)
        return {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in listed.items()
        }

    @classmethod
    def from_json(cls, listed: Mapping[str, Any]) -> Self:
        """Undo `as_json`."""
        names = {name: frozenset(listed[name]) for name in ("waits_for", "starts")}
        return cls(**{**listed, **names, "features": frozenset(map(Feature, listed["features"]))})


@dataclass(frozen=True)
class Cover:
    """A choice, and what it doesn't show."""

    chosen: Sequence[Example]
    missing: frozenset[Feature]

    @property
    def tasks(self) -> int:
        """How many task instances there are at least."""
        return sum(example.tasks for example in self.chosen)


@dataclass(frozen=True)
class Bounds:
    """How much may be chosen."""

    dags: int
    tasks: int


def cover(examples: Iterable[Example], wanted: Iterable[Feature], bounds: Bounds) -> Cover:
    """Choose greedily: at each step what shows the most new features for its tasks.

    A DAG comes with those that it waits for. What is left out and what is slow is never chosen.
    """
    runnable = {one.dag_id: one for one in examples if not (one.left_out or one.is_slow)}
    parties = [
        party for dag_id in sorted(runnable) if (party := _party(dag_id, runnable)) is not None
    ]
    chosen: dict[str, Example] = {}
    missing = frozenset(wanted)
    while fitting := [party for party in parties if _fits(party, chosen, bounds)]:
        best = max(fitting, key=lambda party: _gain(party, chosen, missing))
        if not _shown(best) & missing:
            break
        chosen |= best
        missing -= _shown(best)
    return Cover(tuple(chosen.values()), missing)


Party = Mapping[str, Example]


def _party(dag_id: str, runnable: Mapping[str, Example]) -> Party | None:
    """A DAG with all that it waits for; None where one of these can't be run."""
    party: dict[str, Example] = {}
    asked = [dag_id]
    while asked:
        name = asked.pop()
        if name not in runnable:
            return None
        if name not in party:
            party[name] = runnable[name]
            asked += sorted(runnable[name].waits_for)
    return party


def _shown(party: Party) -> frozenset[Feature]:
    return frozenset().union(*(example.features for example in party.values()))


def _cost(party: Party, chosen: Party) -> int:
    return sum(example.tasks for name, example in party.items() if name not in chosen)


def _gain(party: Party, chosen: Party, missing: frozenset[Feature]) -> float:
    return len(_shown(party) & missing) / max(1, _cost(party, chosen))


def _fits(party: Party, chosen: Party, bounds: Bounds) -> bool:
    together = {**chosen, **party}
    tasks = sum(example.tasks for example in together.values())
    return len(together) <= bounds.dags and tasks <= bounds.tasks


def dumped(examples: Iterable[Example]) -> str:
    """All examples as one JSON text."""
    return json.dumps([example.as_json() for example in examples])


def loaded(text: str) -> tuple[Example, ...]:
    """Undo `dumped`."""
    return tuple(map(Example.from_json, json.loads(text)))
