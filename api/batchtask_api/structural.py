"""A structural schema, as a CRD takes it, made from a pydantic model's JSON schema."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}
_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
_CONVERTED = frozenset({"properties", "items", "additionalProperties"})
_DROPPED = frozenset({"title", "$defs"})


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Give the model's schema with nothing referenced, nothing nullable and sized integers.

    Raises:
        ValueError: the model says something that a structural schema can't hold, at a named place.
    """
    document = model.model_json_schema(by_alias=True, mode="validation")
    return convert(document, document.get("$defs", {}))


def convert(
    node: Mapping[str, Any], definitions: Mapping[str, Any], at: str = ""
) -> dict[str, Any]:
    """Convert one node of a JSON schema.

    Args:
        node: What to convert.
        definitions: What its `$ref`s name.
        at: Where the node stands, for the error.

    Raises:
        ValueError: the node says something that a structural schema can't hold.
    """
    known = _integer(_resolved(node, definitions, at))
    unknown = known.keys() - _CONVERTED - _DROPPED - set(_KEPT)
    if unknown or "type" not in known:
        raise ValueError(
            f"{at or 'the model'}: no structural schema for {', '.join(sorted(unknown)) or known}"
        )
    found = {key: known[key] for key in _KEPT if key in known}
    if isinstance(known.get("additionalProperties"), Mapping):
        values = convert(known["additionalProperties"], definitions, f"{at}{{}}")
        found["additionalProperties"] = values
    if "properties" in known:
        found["properties"] = {
            name: convert(child, definitions, f"{at}.{name}")
            for name, child in known["properties"].items()
        }
    if "items" in known:
        found["items"] = convert(known["items"], definitions, f"{at}[]")
    return found


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Put what a `$ref` or an optional's `anyOf` means in its place; what stands beside it wins."""
    beside = {key: value for key, value in node.items() if key not in {"$ref", "anyOf"}}
    if beside.get("default", ...) is None:
        del beside["default"]
    if "$ref" in node:
        meant = definitions[node["$ref"].removeprefix("#/$defs/")]
        return _resolved(meant, definitions, at) | beside
    if "anyOf" in node:
        options = [option for option in node["anyOf"] if option != {"type": "null"}]
        if len(options) != 1:
            raise ValueError(f"{at}: a structural schema has one type, not one of {len(options)}")
        return _resolved(options[0], definitions, at) | beside
    return beside


def _integer(node: dict[str, Any]) -> dict[str, Any]:
    """Give an integer its size, and its limits as OpenAPI 3.0 has them."""
    if node.get("type") != "integer":
        return node
    sized = {"format": "int32", **node}
    if "exclusiveMaximum" in sized:
        sized["maximum"] = sized.pop("exclusiveMaximum") - 1
    if "exclusiveMinimum" in sized:
        sized["minimum"] = sized.pop("exclusiveMinimum") + 1
    if sized["format"] == "int32":  # the format says these
        return {key: value for key, value in sized.items() if _INT32.get(key) != value}
    return sized
