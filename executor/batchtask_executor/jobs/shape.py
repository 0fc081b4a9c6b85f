"""Bring a value that a user wrote into the form that a structural schema asks for."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import JsonValue

_CALLED = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "boolean": "true or false",
    "number": "a number",
}


class Misfit(ValueError):
    """The value doesn't fit; the message names its path and never quotes what may be secret."""


def conform(value: object, schema: Mapping[str, Any], path: str) -> JsonValue:
    """Copy the value with its keys as the schema spells them; snake_case and CamelCase serve too.

    Keys of free maps, such as tags, stay as they are. What a schema requires is not asked here:
    the value may be one part of a whole.

    Raises:
        Misfit: an unknown key, or a value of the wrong type.
    """
    if "properties" in schema:
        return _fields(_typed(value, Mapping, schema, path), schema["properties"], path)
    match schema.get("type"):
        case "object":
            return _map(_typed(value, Mapping, schema, path), schema, path)
        case "array":
            items = _typed(value, (list, tuple), schema, path)
            return [
                conform(item, schema["items"], f"{path}[{index}]")
                for index, item in enumerate(items)
            ]
        case "integer" if not isinstance(value, bool):
            return int(_typed(value, int, schema, path))
        case "boolean":
            return bool(_typed(value, bool, schema, path))
        case "string":
            return str(_typed(value, str, schema, path))
        case _:
            raise _wrong_type(value, schema, path)


def missing(value: JsonValue, schema: Mapping[str, Any], path: str) -> Iterable[str]:
    """Yield the path of each field that the schema requires and the value lacks."""
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}.{name}"
        for name, field in schema.get("properties", {}).items():
            if name in value:
                yield from missing(value[name], field, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from missing(item, schema["items"], f"{path}[{index}]")


def _fields(
    value: Mapping[object, object], fields: Mapping[str, Any], path: str
) -> dict[str, JsonValue]:
    spelled = {way: name for name in fields for way in (_snake(name), _upper(name), name)}
    found: dict[str, JsonValue] = {}
    for key, item in value.items():
        name = spelled.get(_text(key, path))
        if name is None:
            raise Misfit(f"{path}.{str(key)[:80]} is unknown to SubmitJob; {_advice(key, fields)}")
        if name in found:
            raise Misfit(f"{path}.{name} is given twice, in two spellings; keep one")
        found[name] = conform(item, fields[name], f"{path}.{name}")
    return found


def _map(value: Mapping[object, object], schema: Mapping[str, Any], path: str) -> JsonValue:
    return {
        _text(key, path): conform(item, schema["additionalProperties"], f"{path}.{str(key)[:80]}")
        for key, item in value.items()
    }


def _text(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise Misfit(f"{path} has a key that is {kind(key)}; keys must be strings")
    return key


def _typed(value: object, kinds: Any, schema: Mapping[str, Any], path: str) -> Any:
    if not isinstance(value, kinds):
        raise _wrong_type(value, schema, path)
    return value


def _wrong_type(value: object, schema: Mapping[str, Any], path: str) -> Misfit:
    wanted = schema.get("type", "object")
    quotes = "; put it in quotes" if wanted == "string" and isinstance(value, int) else ""
    return Misfit(f"{path} must be {_CALLED.get(wanted, wanted)}, not {kind(value)}{quotes}")


def kind(value: object) -> str:
    """What a value is, for messages that are not to quote it."""
    return "null" if value is None else type(value).__name__


def _advice(key: object, fields: Mapping[str, Any]) -> str:
    known = {_snake(name): name for name in fields}
    near = difflib.get_close_matches(_snake(str(key)[:80]), known, n=2, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(known[name] for name in near)}?"
    return f"known here: {', '.join(fields)}"


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
