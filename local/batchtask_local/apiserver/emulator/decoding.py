"""Bring an object into the shape of its schema: unknown fields out, defaults in."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def prune(schema: Schema, value: object, path: str = "") -> tuple[Any, list[str]]:
    """Return the value without the fields that the schema doesn't know, and those fields' paths."""
    unknown: list[str] = []
    return _prune(schema, value, path, unknown), sorted(unknown)


def _prune(schema: Schema, value: object, path: str, unknown: list[str]) -> object:
    if isinstance(value, list) and "items" in schema:
        return [
            _prune(schema["items"], item, f"{path}[{index}]", unknown)
            for index, item in enumerate(value)
        ]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        field = _field_schema(schema, key)
        if field is None:
            unknown.append(child(path, key))
        else:
            kept[key] = _prune(field, item, child(path, key), unknown)
    return kept


def _field_schema(schema: Schema, key: str) -> Schema | None:
    """Return the schema of a field, {} for anything, or None for a field that is unknown."""
    if key in (properties := schema.get("properties") or {}):
        return dict(properties[key])
    additional = schema.get("additionalProperties")
    if isinstance(additional, Mapping):
        return additional
    if additional or schema.get("x-kubernetes-preserve-unknown-fields") or "type" not in schema:
        return {}
    return None


def child(path: str, key: str) -> str:
    """Return the path of a field."""
    return f"{path}.{key}" if path else key


def with_defaults(schema: Schema, value: object) -> Any:
    """Return the value with defaults for what is absent, and without nulls that aren't allowed."""
    if isinstance(value, list):
        return [with_defaults(schema.get("items") or {}, item) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    filled = {}
    for key, item in value.items():
        field = properties.get(key, additional if isinstance(additional, Mapping) else {})
        if item is not None or field.get("nullable") or "type" not in field:
            filled[key] = with_defaults(field, item)
    for key, field in properties.items():
        if key not in filled and "default" in field:
            filled[key] = with_defaults(field, field["default"])
    return filled
