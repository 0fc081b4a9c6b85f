"""A botocore shape becomes a structural schema."""

from typing import Any

import pytest
from botocore.model import ShapeResolver

from batchtask_api.shape_schema import shape_schema


def schema_of(**shapes: Any) -> dict[str, Any]:
    """Convert the shape `Root`."""
    return shape_schema(ShapeResolver(shapes).get_shape_by_name("Root"), without=("left",))


@pytest.mark.parametrize(
    ("aws", "expected"),
    [
        ("string", {"type": "string"}),
        ("integer", {"type": "integer", "format": "int32"}),
        ("long", {"type": "integer", "format": "int64"}),
        ("float", {"type": "number", "format": "float"}),
        ("double", {"type": "number", "format": "double"}),
        ("boolean", {"type": "boolean"}),
        ("timestamp", {"type": "string", "format": "date-time"}),
        ("blob", {"type": "string", "format": "byte"}),
    ],
)
def test_a_scalar_has_its_type(aws: str, expected: dict[str, Any]) -> None:
    assert schema_of(Root={"type": aws}) == expected


def test_a_structure_has_its_members_sorted_and_its_required_fields() -> None:
    found = schema_of(
        Root={
            "type": "structure",
            "required": ["b", "left"],
            "members": {"left": {"shape": "S"}, "b": {"shape": "S"}, "a": {"shape": "S"}},
        },
        S={"type": "string"},
    )

    assert found == {
        "type": "object",
        "required": ["b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    }
    assert list(found["properties"]) == ["a", "b"]


def test_what_is_left_out_is_left_out_at_the_top_only() -> None:
    found = schema_of(
        Root={"type": "structure", "members": {"in": {"shape": "Inner"}}},
        Inner={"type": "structure", "members": {"left": {"shape": "S"}}},
        S={"type": "string"},
    )

    assert found["properties"]["in"]["properties"] == {"left": {"type": "string"}}


def test_a_members_own_description_goes_before_its_shapes() -> None:
    found = schema_of(
        Root={
            "type": "structure",
            "documentation": "<p>The <b>root</b>.</p>",
            "members": {
                "a": {"shape": "S", "documentation": "<p>This one.</p>"},
                "b": {"shape": "S"},
            },
        },
        S={"type": "string", "documentation": "<p>Any.</p>"},
    )

    assert found["description"] == "The root."
    assert found["properties"]["a"]["description"] == "This one."
    assert found["properties"]["b"]["description"] == "Any."


def test_lists_and_maps_are_converted() -> None:
    found = schema_of(
        Root={"type": "list", "member": {"shape": "M"}, "max": 3},
        M={"type": "map", "key": {"shape": "S"}, "value": {"shape": "I"}},
        S={"type": "string"},
        I={"type": "integer"},
    )

    values = {"type": "integer", "format": "int32"}
    assert found == {
        "type": "array",
        "items": {"type": "object", "additionalProperties": values},
    }


@pytest.mark.parametrize(
    ("documentation", "description"),
    [("<p>What.</p>", "What.\nValues: RETRY, EXIT."), ("", "Values: RETRY, EXIT.")],
)
def test_an_enums_values_are_described_and_not_enforced(
    documentation: str, description: str
) -> None:
    found = schema_of(
        Root={"type": "string", "enum": ["RETRY", "EXIT"], "documentation": documentation}
    )

    assert found == {"type": "string", "description": description}


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"shape Root: .*'document'"):
        schema_of(Root={"type": "document"})
