"""The choice of few DAGs that show every feature."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matrix.catalog import LEFT_OUT, OWN, SHOWS_NOT, SLOW
from matrix.example import Bounds, Cover, Example, Feature, cover, dumped, loaded
from matrix.selection import BOUNDS

MANY = Bounds(dags=100, tasks=1000)
NEW_IN_AIRFLOW_3_3 = {"example_retry_policy"}
IDS = [f"dag-{number}" for number in range(8)]


def an_example(dag_id: str, *features: Feature, tasks: int = 1, **given: Any) -> Example:
    return Example("module", dag_id, tasks, frozenset(features), **given)


def ids(found: Cover) -> list[str]:
    return [example.dag_id for example in found.chosen]


def test_the_most_new_features_for_their_tasks_come_first() -> None:
    cheap = an_example("cheap", Feature.XCOM, Feature.MAPPED, tasks=2)
    dear = an_example("dear", Feature.XCOM, Feature.MAPPED, Feature.BRANCH, tasks=30)

    found = cover([dear, cheap], [Feature.XCOM, Feature.MAPPED, Feature.BRANCH], MANY)

    assert ids(found) == ["cheap", "dear"]


def test_what_shows_nothing_new_is_not_chosen() -> None:
    found = cover(
        [an_example("one", Feature.XCOM), an_example("two", Feature.XCOM)], [Feature.XCOM], MANY
    )

    assert ids(found) == ["one"]


@pytest.mark.parametrize("given", [{"left_out": "asks a web service"}, {"is_slow": True}])
def test_what_is_left_out_or_slow_is_never_chosen(given: dict[str, Any]) -> None:
    found = cover([an_example("one", Feature.XCOM, **given)], [Feature.XCOM], MANY)

    assert found == Cover((), frozenset({Feature.XCOM}))


def test_a_dag_comes_with_those_that_it_waits_for() -> None:
    one = an_example("one", Feature.OTHER_DAG, waits_for=frozenset({"two"}))
    two = an_example("two", waits_for=frozenset({"three"}))

    found = cover([one, two, an_example("three")], [Feature.OTHER_DAG], MANY)

    assert sorted(ids(found)) == ["one", "three", "two"]


def test_a_dag_that_waits_for_one_left_out_is_not_chosen() -> None:
    one = an_example("one", Feature.OTHER_DAG, waits_for=frozenset({"two"}))

    found = cover([one, an_example("two", left_out="why")], [Feature.OTHER_DAG], MANY)

    assert found.missing == {Feature.OTHER_DAG}


def test_dags_that_wait_for_each_other_come_together() -> None:
    one = an_example("one", Feature.OTHER_DAG, waits_for=frozenset({"two"}))
    two = an_example("two", waits_for=frozenset({"one"}))

    assert sorted(ids(cover([one, two], [Feature.OTHER_DAG], MANY))) == ["one", "two"]


def test_what_does_not_fit_is_missing() -> None:
    large = an_example("large", Feature.XCOM, tasks=81)

    found = cover([large], [Feature.XCOM], Bounds(dags=15, tasks=80))

    assert found == Cover((), frozenset({Feature.XCOM}))


examples = st.lists(
    st.builds(
        Example,
        module=st.just("module"),
        dag_id=st.sampled_from(IDS),
        tasks=st.integers(1, 40),
        features=st.frozensets(st.sampled_from(Feature)),
        waits_for=st.frozensets(st.sampled_from(IDS), max_size=2),
    ),
    unique_by=lambda example: example.dag_id,
)


@given(known=examples, dags=st.integers(0, 8), tasks=st.integers(0, 100))
def test_a_choice_keeps_its_bounds_and_says_what_it_does_not_show(
    known: list[Example], dags: int, tasks: int
) -> None:
    found = cover(known, Feature, Bounds(dags, tasks))

    names = set(ids(found))
    assert len(names) == len(found.chosen) <= dags
    assert found.tasks <= tasks
    assert all(example.waits_for <= names for example in found.chosen)
    shown = {feature for example in found.chosen for feature in example.features}
    assert found.missing == set(Feature) - shown


@given(known=examples)
def test_an_example_survives_json(known: list[Example]) -> None:
    assert loaded(dumped(known)) == tuple(known)


def test_airflows_examples_and_our_own_show_every_feature(
    known: Sequence[Example], chosen: Cover
) -> None:
    assert chosen.missing == set()
    assert len(chosen.chosen) <= BOUNDS.dags
    assert chosen.tasks <= BOUNDS.tasks


def test_a_dag_of_our_own_runs_only_for_what_no_example_shows(
    known: Sequence[Example], chosen: Cover
) -> None:
    theirs = [
        example.features
        for example in known
        if example.module != OWN and not (example.left_out or example.is_slow)
    ]
    own = [example for example in chosen.chosen if example.module == OWN]

    assert len(theirs) > 70
    assert all(example.features - frozenset().union(*theirs) for example in own)


def test_what_is_said_of_single_dags_is_said_of_dags_that_there_are(
    known: Sequence[Example],
) -> None:
    said = LEFT_OUT.keys() | SHOWS_NOT.keys() | SLOW

    assert said - {example.dag_id for example in known} <= NEW_IN_AIRFLOW_3_3
