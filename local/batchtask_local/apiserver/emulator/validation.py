"""Check an object against its schema, with the API server's own words for what is wrong.

What is checked is what a CustomResourceDefinition's schema may say; its rules in CEL
(x-kubernetes-validations) are not run.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from batchtask_local.apiserver.emulator.decoding import Schema, child
from batchtask_local.apiserver.emulator.errors import Cause, invalid_value, required

TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def validate(schema: Schema, value: object, path: str = "") -> Iterator[Cause]:
    """Yield what is wrong with a value, field by field."""
    if value is None and schema.get("nullable"):
        return
    if wrong := _type(schema, value, path):
        yield wrong
        return
    match value:
        case dict():
            yield from _object(schema, value, path)
        case list():
            yield from _array(schema, value, path)
        case str():
            yield from _string(schema, value, path)
        case int() | float() if not isinstance(value, bool):
            yield from _number(schema, value, path)
        case _:
            pass
    if "enum" in schema and value not in schema["enum"]:
        choices = ", ".join(json.dumps(choice) for choice in schema["enum"])
        message = f"Unsupported value: {json.dumps(value)}: supported values: {choices}"
        yield Cause(path, "FieldValueNotSupported", message)
    yield from _combinations(schema, value, path)


def _type(schema: Schema, value: object, path: str) -> Cause | None:
    expected = schema.get("type")
    allowed = ["integer", "string"] if schema.get("x-kubernetes-int-or-string") else [expected]
    if allowed == [None] or any(TYPES[str(name)](value) for name in allowed):
        return None
    found = next(name for name, is_it in TYPES.items() if is_it(value))
    why = f'{path} in body must be of type {",".join(map(str, allowed))}: "{found}"'
    return invalid_value(path, found, why, "FieldValueTypeInvalid")


def _object(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for key in schema.get("required") or ():
        if key not in value:
            yield required(child(path, key))
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        field = properties.get(key, additional)
        if isinstance(field, Mapping):
            yield from validate(field, item, child(path, key))
    if len(value) < schema.get("minProperties", 0):
        bound = f"{path} in body should have at least {schema['minProperties']} properties"
        yield invalid_value(path, value, bound)
    if len(value) > schema.get("maxProperties", len(value)):
        yield _too_many(path, len(value), schema["maxProperties"])


def _array(schema: Schema, value: Sequence[Any], path: str) -> Iterator[Cause]:
    for index, item in enumerate(value):
        yield from validate(schema.get("items") or {}, item, f"{path}[{index}]")
    if len(value) < schema.get("minItems", 0):
        bound = f"{path} in body should have at least {schema['minItems']} items"
        yield invalid_value(path, len(value), bound)
    if len(value) > schema.get("maxItems", len(value)):
        yield _too_many(path, len(value), schema["maxItems"])
    yield from _duplicates(schema, value, path)


def _duplicates(schema: Schema, value: Sequence[Any], path: str) -> Iterator[Cause]:
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if schema.get("x-kubernetes-list-type") not in ("map", "set"):
        return
    seen = []
    for index, item in enumerate(value):
        key = {name: item[name] for name in keys if name in item} if keys else item
        if key in seen:
            message = f"Duplicate value: {json.dumps(key)}"
            yield Cause(f"{path}[{index}]", "FieldValueDuplicate", message)
        seen.append(key)


def _too_many(path: str, count: int, most: int) -> Cause:
    message = f"Too many: {count}: must have at most {most} items"
    return Cause(path, "FieldValueTooMany", message)


def _string(schema: Schema, value: str, path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxLength", len(value)):
        message = f"Too long: may not be more than {schema['maxLength']} bytes"
        yield Cause(path, "FieldValueTooLong", message)
    elif len(value) < schema.get("minLength", 0):
        bound = f"{path} in body should be at least {schema['minLength']} chars long"
        yield invalid_value(path, value, bound)
    elif "pattern" in schema and not re.search(schema["pattern"], value):
        yield invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        why = f"{path} in body must be of type date-time: {json.dumps(value)}"
        yield invalid_value(path, value, why, "FieldValueTypeInvalid")


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _number(schema: Schema, value: float, path: str) -> Iterator[Cause]:
    if (least := schema.get("minimum")) is not None:
        strictly = bool(schema.get("exclusiveMinimum"))
        if value < least or (strictly and value == least):
            bound = "greater than" if strictly else "greater than or equal to"
            yield invalid_value(path, value, f"{path} in body should be {bound} {least}")
    if (most := schema.get("maximum")) is not None:
        strictly = bool(schema.get("exclusiveMaximum"))
        if value > most or (strictly and value == most):
            bound = "less than" if strictly else "less than or equal to"
            yield invalid_value(path, value, f"{path} in body should be {bound} {most}")
    if (step := schema.get("multipleOf")) and value % step:
        yield invalid_value(path, value, f"{path} in body should be a multiple of {step}")


def _combinations(schema: Schema, value: object, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from validate(part, value, path)
    matching = [_is_valid(part, value) for part in schema.get("anyOf") or ()]
    if matching and not any(matching):
        why = f'"{path}" must validate at least one schema (anyOf)'
        yield invalid_value(path, value, why)
    matching = [_is_valid(part, value) for part in schema.get("oneOf") or ()]
    if matching and sum(matching) != 1:
        why = f'"{path}" must validate one and only one schema (oneOf). '
        found = f"Found {sum(matching)} valid alternatives" if any(matching) else "Found none valid"
        yield invalid_value(path, value, why + found)
    if "not" in schema and _is_valid(schema["not"], value):
        yield invalid_value(path, value, f'"{path}" must not validate the schema (not)')


def _is_valid(schema: Schema, value: object) -> bool:
    return next(validate(schema, value), None) is None
