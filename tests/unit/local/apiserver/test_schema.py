"""What a schema does that the conformance suite's own kind has no field for."""

from typing import Any

import pytest

from batchtask_local.apiserver.emulator.decoding import prune, with_defaults
from batchtask_local.apiserver.emulator.validation import validate

STRINGS = {"type": "array", "items": {"type": "string"}}
NUMBER = {"type": "number"}


def messages(schema: dict[str, Any], value: object) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in validate(schema, value, "f")]


@pytest.mark.parametrize(
    ("schema", "good", "bad", "message"),
    [
        (
            STRINGS | {"minItems": 1},
            ["a"],
            [],
            "f: Invalid value: 0: f in body should have at least 1 items",
        ),
        (
            {"type": "object", "minProperties": 1},
            {"a": 1},
            {},
            "f: Invalid value: {}: f in body should have at least 1 properties",
        ),
        (
            {"type": "object", "maxProperties": 1},
            {"a": 1},
            {"a": 1, "b": 2},
            "f: Too many: 2: must have at most 1 items",
        ),
        (
            NUMBER | {"minimum": 1, "exclusiveMinimum": True},
            1.5,
            1,
            "f: Invalid value: 1: f in body should be greater than 1",
        ),
        (
            NUMBER | {"maximum": 1, "exclusiveMaximum": True},
            0,
            1,
            "f: Invalid value: 1: f in body should be less than 1",
        ),
        (
            NUMBER | {"multipleOf": 5},
            10,
            7,
            "f: Invalid value: 7: f in body should be a multiple of 5",
        ),
        (
            STRINGS | {"x-kubernetes-list-type": "set"},
            ["a", "b"],
            ["a", "a"],
            'f[1]: Duplicate value: "a"',
        ),
        (
            {"anyOf": [{"type": "string"}, {"minimum": 5}]},
            6,
            1,
            'f: Invalid value: 1: "f" must validate at least one schema (anyOf)',
        ),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1},
            {},
            (
                'f: Invalid value: {}: "f" must validate one and only one schema (oneOf). '
                "Found none valid"
            ),
        ),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"b": 1},
            {"a": 1, "b": 1},
            (
                'f: Invalid value: {"a": 1, "b": 1}: "f" must validate one and only one schema '
                "(oneOf). Found 2 valid alternatives"
            ),
        ),
        (
            {"allOf": [{"required": ["a"]}]},
            {"a": 1},
            {},
            "f.a: Required value",
        ),
        (
            {"not": {"required": ["a"]}},
            {},
            {"a": 1},
            'f: Invalid value: {"a": 1}: "f" must not validate the schema (not)',
        ),
        (
            {"type": "boolean"},
            True,
            1,
            'f: Invalid value: "integer": f in body must be of type boolean: "integer"',
        ),
        (
            {"type": "integer"},
            1,
            True,
            'f: Invalid value: "boolean": f in body must be of type integer: "boolean"',
        ),
        (
            {"type": "string", "nullable": True},
            None,
            1,
            'f: Invalid value: "integer": f in body must be of type string: "integer"',
        ),
        (
            {"type": "string", "format": "date-time"},
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00",
            (
                'f: Invalid value: "2026-01-01T00:00:00": f in body must be of type date-time: '
                '"2026-01-01T00:00:00"'
            ),
        ),
    ],
)
def test_a_value_is_checked(
    schema: dict[str, Any], good: object, bad: object, message: str
) -> None:
    assert messages(schema, good) == []
    assert messages(schema, bad) == [message]


def test_a_map_lists_keys_must_be_unique() -> None:
    item = {"type": "object", "properties": {"type": {"type": "string"}}}
    schema = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    }

    assert messages(schema, [{"type": "a"}, {"type": "b"}]) == []
    assert messages(schema, [{"type": "a"}, {"type": "a", "x": 1}]) == [
        'f[1]: Duplicate value: {"type": "a"}'
    ]


def test_unknown_fields_are_pruned_in_order_and_in_depth() -> None:
    schema = {
        "type": "object",
        "properties": {
            "known": {"type": "object", "properties": {"a": {"type": "string"}}},
            "free": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"known": {"type": "object", "properties": {}}},
            },
            "map": {"type": "object", "additionalProperties": {"type": "object"}},
            "any": {"type": "object", "additionalProperties": True},
        },
    }
    value = {
        "z": 1,
        "known": {"a": "x", "b": "y"},
        "free": {"other": {"deep": 1}, "known": {"c": 1}},
        "map": {"key": {"d": 1}},
        "any": {"key": {"e": 1}},
    }

    pruned, unknown = prune(schema, value)

    assert pruned == {
        "known": {"a": "x"},
        "free": {"other": {"deep": 1}, "known": {}},
        "map": {"key": {}},
        "any": {"key": {"e": 1}},
    }
    assert unknown == ["free.known.c", "known.b", "map.key.d", "z"]


def test_a_default_has_defaults_of_its_own() -> None:
    inner = {
        "type": "object",
        "default": {},
        "properties": {"a": {"type": "string", "default": "x"}},
    }
    schema = {"type": "object", "properties": {"inner": inner, "other": {"type": "string"}}}

    assert with_defaults(schema, {}) == {"inner": {"a": "x"}}
    assert with_defaults(schema, {"inner": {"a": "y"}}) == {"inner": {"a": "y"}}
