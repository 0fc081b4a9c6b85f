from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask_api import submit_job
from batchtask_executor.jobs.shape import Misfit, conform, missing

SCHEMA = submit_job.schema()


def conformed(value: object) -> Any:
    return conform(value, SCHEMA, "executor_config")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"jobQueue": "q"}, {"jobQueue": "q"}),
        ({"job_queue": "q"}, {"jobQueue": "q"}),
        (
            {"container_overrides": {"resource_requirements": ({"type": "VCPU", "value": "4"},)}},
            {"containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "4"}]}},
        ),
        ({"tags": {"cost_center": "a", "jobQueue": "b"}},) * 2,
        ({"parameters": {"in_file": "x"}},) * 2,
        (
            {"container_overrides": {"environment": [{"name": "my_var", "value": "my_value"}]}},
            {"containerOverrides": {"environment": [{"name": "my_var", "value": "my_value"}]}},
        ),
        (
            {"eks_properties_override": {"pod_properties": {"metadata": {"labels": {"a_b": "c"}}}}},
            {"eksPropertiesOverride": {"podProperties": {"metadata": {"labels": {"a_b": "c"}}}}},
        ),
        (
            {"timeout": {"attempt_duration_seconds": 60}},
            {"timeout": {"attemptDurationSeconds": 60}},
        ),
        ({"propagate_tags": True}, {"propagateTags": True}),
    ],
)
def test_both_spellings_are_taken_and_the_users_own_names_stay(
    given: object, expected: object
) -> None:
    assert conformed(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"jobQeue": "q"}, ["executor_config.jobQeue", "did you mean jobQueue?"]),
        ({"container_override": {}}, ["container_override", "containerOverrides"]),
        (
            {"zzz": {}},
            ["executor_config.zzz is unknown to SubmitJob", "known here: arrayProperties"],
        ),
        (
            {"containerOverrides": {"enviroment": []}},
            ["containerOverrides.enviroment", "environment"],
        ),
        (
            {"containerOverrides": {"environment": [{"name": "A", "value": 5}]}},
            ["executor_config.containerOverrides.environment[0].value must be a string", "quotes"],
        ),
        ({"timeout": 60}, ["executor_config.timeout must be an object, not int"]),
        ({"timeout": None}, ["executor_config.timeout must be an object, not null"]),
        ({"timeout": {"attemptDurationSeconds": "60"}}, ["must be an integer, not str"]),
        ({"timeout": {"attemptDurationSeconds": True}}, ["must be an integer, not bool"]),
        ({"propagateTags": 1}, ["propagateTags must be true or false, not int"]),
        ({"dependsOn": {"jobId": "x"}}, ["dependsOn must be a list, not dict"]),
        ({"tags": {5: "x"}}, ["executor_config.tags has a key that is int"]),
        ({5: "x"}, ["executor_config has a key that is int"]),
        ({"tags": {"a": 1}}, ["executor_config.tags.a must be a string"]),
        ({"jobQueue": "a", "job_queue": "b"}, ["jobQueue is given twice", "keep one"]),
        (["jobQueue"], ["executor_config must be an object, not list"]),
    ],
)
def test_a_misfit_names_the_path_and_the_way_out(given: object, words: list[str]) -> None:
    with pytest.raises(Misfit) as caught:
        conformed(given)

    for word in words:
        assert word in str(caught.value)


def test_a_misfit_never_quotes_a_value() -> None:
    with pytest.raises(Misfit) as caught:
        conformed(
            {"containerOverrides": {"environment": [{"name": "PASSWORD", "value": 12345678}]}}
        )

    assert "12345678" not in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]) | st.text(), anything))
def test_whatever_a_user_writes_is_taken_or_a_misfit(value: dict[Any, Any]) -> None:
    words = "executor_config"
    found: Any = {}
    try:
        found = conformed(value)
    except Misfit as misfit:
        words = str(misfit)

    assert words.startswith("executor_config")
    assert found.keys() <= SCHEMA["properties"].keys()


def test_a_cyclic_value_is_a_misfit() -> None:
    cyclic: dict[str, Any] = {}
    cyclic["containerOverrides"] = cyclic

    with pytest.raises(Misfit):
        conformed(cyclic)


def test_the_value_is_copied() -> None:
    value: dict[str, Any] = {"containerOverrides": {"environment": [{"name": "A", "value": "1"}]}}

    conformed(value)["containerOverrides"]["environment"].append("more")

    assert value == {"containerOverrides": {"environment": [{"name": "A", "value": "1"}]}}


def test_required_fields_are_found_at_any_depth() -> None:
    value: Any = {
        "jobQueue": "q",
        "containerOverrides": {"resourceRequirements": [{"type": "VCPU"}]},
    }

    assert list(missing(value, SCHEMA, "job")) == [
        "job.jobDefinition",
        "job.containerOverrides.resourceRequirements[0].value",
    ]
