"""A structural OpenAPI schema made from a shape of botocore's service model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from batchtask_api.plain_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

_SCALARS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "timestamp": {"type": "string", "format": "date-time"},
    "blob": {"type": "string", "format": "byte"},
}


def shape_schema(shape: Shape, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Give the shape's structural schema: AWS's names, types, required fields and descriptions.

    AWS's limits (enums, lengths) stay out, since AWS loosens them; enums are named in the
    description.

    Args:
        shape: What to describe.
        without: Members of the shape itself, not of those inside it, to leave out.

    Raises:
        ValueError: the shape has a type that no structural schema can hold.
    """
    description = _description(shape)
    head: dict[str, Any] = {"description": description} if description else {}
    match shape.type_name:
        case "structure":
            return head | _structure(cast("StructureShape", shape), without)
        case "list":
            return head | {"type": "array", "items": shape_schema(cast("ListShape", shape).member)}
        case "map":
            values = shape_schema(cast("MapShape", shape).value)
            return head | {"type": "object", "additionalProperties": values}
        case scalar if scalar in _SCALARS:
            return head | _SCALARS[scalar]
        case other:
            raise ValueError(f"shape {shape.name}: no structural schema for the type {other!r}")


def _structure(shape: StructureShape, without: Collection[str]) -> dict[str, Any]:
    members = {name: member for name, member in shape.members.items() if name not in without}
    required = sorted(name for name in shape.required_members if name not in without)
    tail: dict[str, Any] = {"required": required} if required else {}
    properties = {name: shape_schema(member) for name, member in sorted(members.items())}
    return {"type": "object", **tail, "properties": properties}


def _description(shape: Shape) -> str:
    text = plain_text(shape.documentation)
    values = cast("StringShape", shape).enum if shape.type_name == "string" else []
    if not values:
        return text
    return f"{text}\nValues: {', '.join(values)}.".lstrip()
