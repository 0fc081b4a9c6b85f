"""A kind's schema is enforced alike, in the same words, by the real API server and the emulator."""

from typing import Any

import pytest

from integration.apiserver.clients import GROUP, Widgets, a_widget

pytestmark = pytest.mark.integration

INVALID, TYPE, REQUIRED = "FieldValueInvalid", "FieldValueTypeInvalid", "FieldValueRequired"


def mistyped(path: str, expected: str, found: str) -> tuple[str, str, str]:
    message = f'Invalid value: "{found}": {path} in body must be of type {expected}: "{found}"'
    return path, TYPE, message


def out_of_bounds(path: str, value: str, bound: str) -> tuple[str, str, str]:
    return path, INVALID, f"Invalid value: {value}: {path} in body should {bound}"


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"color": None}, [("spec.color", REQUIRED, "Required value")]),
        ({"size": "x"}, [mistyped("spec.size", "integer", "string")]),
        ({"weight": "x"}, [mistyped("spec.weight", "number", "string")]),
        ({"enabled": 1}, [mistyped("spec.enabled", "boolean", "integer")]),
        ({"code": 1}, [mistyped("spec.code", "string", "integer")]),
        ({"parts": {}}, [mistyped("spec.parts", "array", "object")]),
        ({"parts": [None]}, [mistyped("spec.parts[0]", "object", "null")]),
        ({"labels": []}, [mistyped("spec.labels", "object", "array")]),
        ({"labels": {"a": True}}, [mistyped("spec.labels.a", "string", "boolean")]),
        ({"port": 1.5}, [mistyped("spec.port", "integer,string", "number")]),
        ({"size": 0}, [out_of_bounds("spec.size", "0", "be greater than or equal to 1")]),
        ({"size": 11}, [out_of_bounds("spec.size", "11", "be less than or equal to 10")]),
        ({"code": "a"}, [out_of_bounds("spec.code", '"a"', "be at least 2 chars long")]),
        ({"code": "A1"}, [out_of_bounds("spec.code", '"A1"', "match '^[a-z]+$'")]),
        (
            {"code": "abcdef"},
            [("spec.code", "FieldValueTooLong", "Too long: may not be more than 5 bytes")],
        ),
        (
            {"color": "pink"},
            [
                (
                    "spec.color",
                    "FieldValueNotSupported",
                    'Unsupported value: "pink": supported values: "red", "green", "blue"',
                )
            ],
        ),
        (
            {"parts": [{"name": name} for name in "abcd"]},
            [("spec.parts", "FieldValueTooMany", "Too many: 4: must have at most 3 items")],
        ),
        (
            {"parts": [{"count": 2}, {"name": 3}]},
            [
                ("spec.parts[0].name", REQUIRED, "Required value"),
                mistyped("spec.parts[1].name", "string", "integer"),
            ],
        ),
        ({"since": "yesterday"}, [mistyped("spec.since", "date-time", "yesterday")]),
    ],
    ids=str,
)
def test_a_wrong_field_is_named_with_what_is_wrong(
    widgets: Widgets, spec: dict[str, Any], causes: list[tuple[str, str, str]]
) -> None:
    reply = widgets.create(a_widget(**spec))

    assert reply.refusal == (422, "Invalid")
    assert reply.causes == sorted(causes)
    assert reply.message.startswith(f'Widget.{GROUP} "one" is invalid: ')
    assert widgets.get().status == 404


def test_a_missing_spec_is_named(widgets: Widgets) -> None:
    body = a_widget()
    del body["spec"]

    assert widgets.create(body).causes == [("spec", REQUIRED, "Required value")]


def test_an_update_is_checked_as_a_creation_is(widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    patched = widgets.patch({"spec": {"size": 99}})
    reported = widgets.patch({"status": {"conditions": [{"type": "Ready"}]}}, subresource="status")

    assert patched.refusal == (422, "Invalid")
    assert reported.causes == [("status.conditions[0].status", REQUIRED, "Required value")]


def test_what_may_be_anything_stays_as_it_is(widgets: Widgets) -> None:
    spec: dict[str, Any] = {
        "free": {"x": {"y": [1, None]}},
        "port": "http",
        "labels": {"any": "key"},
    }

    assert widgets.create(a_widget(**spec)).ok["spec"] == spec | {"color": "red", "shape": "round"}


def test_nulls_give_way_to_defaults_unless_allowed(widgets: Widgets) -> None:
    spec: dict[str, Any] = {
        "shape": None,
        "size": None,
        "code": None,
        "parts": [{"name": "a", "count": None}],
    }

    assert widgets.create(a_widget(**spec)).ok["spec"] == {
        "color": "red",
        "shape": "round",
        "code": None,
        "parts": [{"name": "a", "count": 1}],
    }


UNKNOWN: dict[str, Any] = {"size": 1, "sise": 2, "parts": [{"name": "a", "nmae": "b"}]}


def test_strict_refuses_unknown_fields_by_their_paths(widgets: Widgets) -> None:
    reply = widgets.create(a_widget(**UNKNOWN), fieldValidation="Strict")

    assert reply.refusal == (400, "BadRequest")
    assert reply.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
        'unknown field "spec.parts[0].nmae", unknown field "spec.sise"'
    )
    assert widgets.get().status == 404


def test_strict_refuses_an_unknown_field_of_the_metadata(widgets: Widgets) -> None:
    body = a_widget() | {"metadata": {"name": "one", "label": {}}, "extra": 1}

    reply = widgets.create(body, fieldValidation="Strict")

    assert reply.refusal == (400, "BadRequest")
    assert 'unknown field "metadata.label"' in reply.message
    assert 'unknown field "extra"' in reply.message


@pytest.mark.parametrize("subresource", ["", "status"])
def test_strict_refuses_an_unknown_field_in_a_patch(widgets: Widgets, subresource: str) -> None:
    widgets.create(a_widget()).check()
    part = subresource or "spec"

    reply = widgets.patch({part: {"nothing": 1}}, "one", subresource, fieldValidation="Strict")

    assert reply.refusal == (422, "Invalid")
    assert reply.message.endswith(f'strict decoding error: unknown field "{part}.nothing"')


@pytest.mark.parametrize(
    ("validation", "warnings"),
    [
        ("Ignore", []),
        ("Warn", ['unknown field \\"spec.parts[0].nmae\\"', 'unknown field \\"spec.sise\\"']),
        ("", ['unknown field \\"spec.parts[0].nmae\\"', 'unknown field \\"spec.sise\\"']),
    ],
)
def test_else_unknown_fields_are_dropped(
    widgets: Widgets, validation: str, warnings: list[str]
) -> None:
    query = {"fieldValidation": validation} if validation else {}

    reply = widgets.create(a_widget(**UNKNOWN), **query)

    assert reply.ok["spec"] == {
        "color": "red",
        "shape": "round",
        "size": 1,
        "parts": [{"name": "a", "count": 1}],
    }
    told = reply.headers.get("Warning", "")
    assert [text for text in warnings if text not in told] == []
    assert bool(told) is bool(warnings)


def test_an_unknown_way_to_validate_is_refused(widgets: Widgets) -> None:
    reply = widgets.create(a_widget(), fieldValidation="Sternly")

    assert reply.refusal == (422, "Invalid")
    assert 'fieldValidation: Unsupported value: "Sternly"' in reply.message
