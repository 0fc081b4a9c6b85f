"""Each rule is needed, or known not to be; and where the world is worse, the search shows it."""

import pytest

from model import report
from model.__main__ import judged
from model.mutants import BEYOND, ENDS, NEEDED, REDUNDANT, Mutant
from model.rules import Faults, Model, Rules, World
from model.search import search
from model.state import Property

ONE_JOB = frozenset({Property.ONE_JOB})


def named(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", [*NEEDED, ENDS], ids=named)
def test_without_the_rule_the_search_finds_what_breaks(mutant: Mutant) -> None:
    outcome = judged(mutant)

    assert outcome.broken is mutant.breaks
    assert outcome.trace[-1].broken is mutant.breaks


@pytest.mark.parametrize("mutant", REDUNDANT, ids=named)
def test_without_the_rule_everything_is_still_kept(mutant: Mutant) -> None:
    outcome = judged(mutant)

    assert outcome.broken is None, "\n".join(report.trace(outcome))


@pytest.mark.parametrize("mutant", BEYOND, ids=named)
def test_in_a_worse_world(mutant: Mutant) -> None:
    outcome = judged(mutant)

    assert outcome.broken is mutant.breaks, "\n".join(report.trace(outcome))


@pytest.mark.parametrize("waits", [2, 3, 4])
def test_whatever_the_bound_a_lag_beyond_it_makes_a_second_job(waits: int) -> None:
    patient = Rules(own_wait=waits)
    kept = Model(Faults(reply=1), rules=patient, world=World(lag_beyond=waits - 2))
    late = Model(Faults(reply=1), rules=patient, world=World(lag_beyond=waits - 1))

    assert search(kept, ONE_JOB).broken is None
    assert search(late, ONE_JOB).broken is Property.ONE_JOB


def test_a_trace_goes_from_the_first_state_to_the_broken_one() -> None:
    outcome = judged(NEEDED[0])

    state = outcome.machine.first()
    for step in outcome.trace:
        assert step in list(outcome.machine.steps(state))
        state = step.state


def test_a_trace_can_be_read() -> None:
    lines = list(report.trace(judged(NEEDED[0])))  # no intent

    assert " ".join(lines[0].split()) == "1 A writes the intent status: empty | A has announced"
    assert "! A       is killed" in lines[3]
    assert lines[-1] == "     → broken: a task has at most one job"
