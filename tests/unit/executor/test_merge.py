import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask_executor.jobs.merge import merge

names = st.sampled_from(["A", "B", "C", "D"])
environment = st.lists(st.builds(lambda n, v: {"name": n, "value": v}, names, st.text(max_size=3)))
requests = st.fixed_dictionaries(
    {},
    optional={
        "jobQueue": st.text(max_size=3),
        "tags": st.dictionaries(names, st.text(max_size=3)),
        "containerOverrides": st.fixed_dictionaries({}, optional={"environment": environment}),
    },
)


def environment_of(request: Any) -> dict[str, str]:
    items = request.get("containerOverrides", {}).get("environment", [])
    return {item["name"]: item["value"] for item in items}


@settings(deadline=None)
@given(requests, requests)
def test_environment_is_merged_by_name_and_the_later_value_wins(base: Any, over: Any) -> None:
    merged = merge(base, over)

    assert environment_of(merged) == environment_of(base) | environment_of(over)
    assert merged.get("tags", {}) == base.get("tags", {}) | over.get("tags", {})


@settings(deadline=None)
@given(requests, requests)
def test_no_name_stands_twice_where_something_was_merged(base: Any, over: Any) -> None:
    merged: Any = merge(merge({}, base), over)

    items = merged.get("containerOverrides", {}).get("environment", [])

    assert len({item["name"] for item in items}) == len(items)


@settings(deadline=None)
@given(requests, requests)
def test_nothing_that_is_merged_is_touched_or_shared(base: Any, over: Any) -> None:
    before = copy.deepcopy((base, over))

    merged: Any = merge(base, over)
    for item in merged.get("containerOverrides", {}).get("environment", []):
        item["value"] = "changed"
    merged.get("tags", {})["new"] = "x"

    assert (base, over) == before


@settings(deadline=None)
@given(requests)
def test_merging_nothing_changes_nothing(request: Any) -> None:
    once = merge({}, request)

    assert merge(once, {}) == once
    assert merge(once, once) == once


def test_resource_requirements_are_merged_by_type() -> None:
    base: Any = {"resourceRequirements": [vcpu("1"), memory("2048")]}
    over: Any = {"resourceRequirements": [memory("8192")]}

    assert merge(base, over) == {"resourceRequirements": [vcpu("1"), memory("8192")]}


def test_containers_are_merged_by_name_and_the_one_task_by_position() -> None:
    base: Any = {"taskProperties": [{"containers": [container("main", A="1"), container("log")]}]}
    over: Any = {"taskProperties": [{"containers": [container("main", B="2")]}]}

    merged = merge(base, over)

    expected = {
        "taskProperties": [{"containers": [container("main", A="1", B="2"), container("log")]}]
    }
    assert merged == expected


def test_a_container_without_a_name_goes_into_the_one_without() -> None:
    base: Any = {"containers": [{"environment": [{"name": "A", "value": "1"}]}]}
    over: Any = {"containers": [{"environment": [{"name": "B", "value": "2"}]}]}

    merged: Any = merge(base, over)

    assert [item["name"] for item in merged["containers"][0]["environment"]] == ["A", "B"]


def test_other_lists_are_replaced() -> None:
    base: Any = {
        "dependsOn": [{"jobId": "a"}],
        "retryStrategy": {"evaluateOnExit": [1], "attempts": 3},
    }
    over: Any = {"dependsOn": [{"jobId": "b"}], "retryStrategy": {"evaluateOnExit": [2]}}

    assert merge(base, over) == {
        "dependsOn": [{"jobId": "b"}],
        "retryStrategy": {"evaluateOnExit": [2], "attempts": 3},
    }


def vcpu(value: str) -> dict[str, str]:
    return {"type": "VCPU", "value": value}


def memory(value: str) -> dict[str, str]:
    return {"type": "MEMORY", "value": value}


def container(name: str, **variables: str) -> dict[str, Any]:
    items = [{"name": key, "value": value} for key, value in variables.items()]
    return {"name": name, **({"environment": items} if items else {})}
