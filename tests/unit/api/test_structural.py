"""pydantic's JSON schema becomes a structural one."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from batchtask_api.structural import convert, structural_schema


class Color(StrEnum):
    RED = "Red"
    BLUE = "Blue"


class Leaf(BaseModel):
    """A leaf."""

    at: datetime


DEFINITIONS: dict[str, Any] = {
    "Color": {"title": "Color", "type": "string", "enum": ["Red"], "description": "Its own."},
    "Alias": {"$ref": "#/$defs/Color"},
}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param({"type": "string", "title": "X"}, {"type": "string"}, id="title is dropped"),
        pytest.param(
            {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}], "default": None},
            {"type": "string", "minLength": 1},
            id="an optional is its type, without a default",
        ),
        pytest.param(
            {"$ref": "#/$defs/Color"},
            {"description": "Its own.", "type": "string", "enum": ["Red"]},
            id="a reference is what it names",
        ),
        pytest.param(
            {"$ref": "#/$defs/Alias", "description": "Here.", "default": "Red"},
            {"description": "Here.", "type": "string", "enum": ["Red"], "default": "Red"},
            id="what stands beside a reference wins",
        ),
        pytest.param(
            {"type": "integer"}, {"type": "integer", "format": "int32"}, id="an integer has 32 bits"
        ),
        pytest.param(
            {"type": "integer", "format": "int64", "maximum": 2**31 - 1},
            {"type": "integer", "format": "int64", "maximum": 2**31 - 1},
            id="a size that is given stays",
        ),
        pytest.param(
            {"type": "integer", "minimum": -(2**31), "exclusiveMaximum": 2**31},
            {"type": "integer", "format": "int32"},
            id="limits that the format says are dropped",
        ),
        pytest.param(
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10, "default": 1},
            {"type": "integer", "format": "int32", "default": 1, "minimum": 1, "maximum": 9},
            id="exclusive limits become inclusive",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": True},
            {"type": "object"},
            id="anything goes in a plain object",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "integer", "title": "V"}},
            {"type": "object", "additionalProperties": {"type": "integer", "format": "int32"}},
            id="a map's values are converted",
        ),
        pytest.param(
            {"type": "array", "items": {"$ref": "#/$defs/Color"}, "default": []},
            {
                "type": "array",
                "default": [],
                "items": {"description": "Its own.", "type": "string", "enum": ["Red"]},
            },
            id="a list's items are converted",
        ),
    ],
)
def test_a_node_is_converted(node: dict[str, Any], expected: dict[str, Any]) -> None:
    assert convert(node, DEFINITIONS) == expected


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, r"\.spec\.x: .* one of 2"),
        ({"type": "string", "const": "a"}, r"\.spec\.x: .* const"),
        ({"description": "Anything."}, r"\.spec\.x: "),
    ],
)
def test_what_no_structural_schema_can_hold_is_refused_by_place(
    node: dict[str, Any], names: str
) -> None:
    with pytest.raises(ValueError, match=names):
        convert(node, {}, ".spec.x")


def test_a_whole_model_is_converted() -> None:
    class Tree(BaseModel):
        """A tree."""

        color: Color = Field(default=Color.BLUE, description="Its color.")
        leaves: tuple[Leaf, ...] = ()
        height: Annotated[int, Field(ge=0)] | None = None

    assert structural_schema(Tree) == {
        "type": "object",
        "description": "A tree.",
        "properties": {
            "color": {
                "type": "string",
                "description": "Its color.",
                "enum": ["Red", "Blue"],
                "default": "Blue",
            },
            "leaves": {
                "type": "array",
                "default": [],
                "items": {
                    "type": "object",
                    "description": "A leaf.",
                    "required": ["at"],
                    "properties": {"at": {"type": "string", "format": "date-time"}},
                },
            },
            "height": {"type": "integer", "format": "int32", "minimum": 0},
        },
    }
