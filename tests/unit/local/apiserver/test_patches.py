"""Merge patches as RFC 7386 has them, JSON patches as RFC 6902 has them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask_local.apiserver.emulator.patches import PatchFailedError, merged, operated

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"b": 1, "c": 2}}),
    ],
)
def test_a_merge_patch_is_applied(target: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy(target)

    assert merged(target, patch) == expected
    assert target == before


@pytest.mark.parametrize(
    ("target", "operation", "expected"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}),
        ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": [{"b": 1}]}, {"op": "replace", "path": "/a/0/b", "value": 2}, {"a": [{"b": 2}]}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a/b": 1, "c~d": 2}, {"op": "remove", "path": "/a~1b"}, {"c~d": 2}),
        ({"a/b": 1, "c~d": 2}, {"op": "remove", "path": "/c~0d"}, {"a/b": 1}),
        ({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1}, {"a": 1}),
        ({"a": 1}, {"op": "replace", "path": "", "value": {}}, {}),
    ],
)
def test_an_operation_is_applied(target: Any, operation: dict[str, Any], expected: Any) -> None:
    before = copy.deepcopy(target)

    assert operated(target, [operation]) == expected
    assert target == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "add", "path": "/a/7", "value": 1},
        {"op": "add", "path": "/a/-1", "value": 1},
        {"op": "add", "path": "/a/x", "value": 1},
        {"op": "remove", "path": "/a/-"},
        {"op": "test", "path": "/a", "value": [2]},
        {"op": "test", "path": "/a/0"},
        {"op": "copy", "path": "/b", "from": "/c"},
        {"op": "increment", "path": "/a/0"},
        {"op": "add", "path": "a", "value": 1},
        {"path": "/a"},
    ],
    ids=str,
)
def test_an_operation_that_cannot_be_applied_is_named(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchFailedError):
        operated({"a": [1]}, [operation])


@given(JSON, JSON)
def test_adding_and_removing_a_member_changes_nothing(value: Any, other: Any) -> None:
    target = {"kept": other}
    operations = [{"op": "add", "path": "/new", "value": value}, {"op": "remove", "path": "/new"}]

    assert operated(target, operations) == target
