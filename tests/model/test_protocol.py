"""The protocol keeps every property in every state that the search can reach."""

from functools import cache

import pytest

from model import report
from model.bounds import SMALL
from model.controller import CODE
from model.rules import Faults, Model, Rules
from model.search import Outcome, TooMany, search
from model.state import Property

ONLY_FINE = {"signs", "passes before-send"}
"""Steps of their own only where a model takes every step by itself."""

ONLY_WITHOUT_A_RULE = {
    "decides again",
    "reads the answer",
    "sees an older version",
    "sends, dated ahead",
    "signs with a date ahead",
}


@cache
def searched(model: Model) -> Outcome:
    return search(model)


@pytest.mark.parametrize("model", SMALL, ids=report.faults)
def test_every_property_is_kept_in_every_state(model: Model) -> None:
    outcome = searched(model)

    assert outcome.broken is None, "\n".join(report.trace(outcome))


def test_the_search_takes_every_step_that_stands_for_code() -> None:
    taken = frozenset[str]().union(*(searched(model).actions for model in SMALL))

    assert CODE.keys() - taken <= ONLY_WITHOUT_A_RULE
    assert taken >= ONLY_FINE


def test_every_fault_is_tried() -> None:
    assert all(any(model.faults[place] for model in SMALL) for place in range(len(Faults._fields)))


def test_without_a_fault_the_task_has_its_job_at_once() -> None:
    outcome = search(Model(Faults()))

    assert outcome.broken is None
    assert outcome.depth < 10


@pytest.mark.parametrize("faults", [Faults(crash=1), Faults(reply=1, refuse=1)], ids=str)
def test_to_take_each_step_by_itself_changes_nothing(faults: Faults) -> None:
    coarse, fine = search(Model(faults)), search(Model(faults, fine=True))

    assert coarse.broken is fine.broken is None
    assert fine.states > coarse.states


def test_a_dead_end_is_seen() -> None:
    nobody_looks = Model(Faults(crash=1), rules=Rules(look_up=False))

    outcome = search(nobody_looks, frozenset({Property.WAY_ON}))

    assert outcome.broken is Property.WAY_ON
    assert [step.action for step in outcome.trace] == ["writes the intent", "is killed"]


def test_a_search_over_its_limit_says_so() -> None:
    with pytest.raises(TooMany, match="more than 10 states"):
        search(Model(Faults()), most=10)
