"""Lay one SubmitJob request over another, neither of them touched."""

import copy
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

NAMED_BY: Final[Mapping[str, str]] = {
    "environment": "name",
    "env": "name",
    "containers": "name",
    "initContainers": "name",
    "resourceRequirements": "type",
}
"""Lists whose items have an identity: an item replaces, or goes into, the one of its name."""

_BY_POSITION: Final = frozenset({"taskProperties"})
"""AWS Batch takes one item here, and it has no name."""


def merge(base: Mapping[str, JsonValue], over: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Merge deeply: objects by key, named lists by name, any other value is replaced."""
    merged = {key: copy.deepcopy(value) for key, value in base.items() if key not in over}
    for key, value in over.items():
        merged[key] = _value(key, base.get(key), value)
    return merged


def _value(key: str, base: JsonValue, over: JsonValue) -> JsonValue:
    if isinstance(over, dict):
        return merge(base if isinstance(base, dict) else {}, over)
    if isinstance(over, list):
        items = base if isinstance(base, list) else []
        if key in _BY_POSITION:
            return _items(dict(enumerate(items)), dict(enumerate(over)))
        if identity := NAMED_BY.get(key):
            return _items(_keyed(items, identity), _keyed(over, identity))
    return copy.deepcopy(over)


def _keyed(items: list[JsonValue], identity: str) -> dict[object, JsonValue]:
    """The items by their identity, the last one of a name winning at the place of the first."""
    return {item.get(identity) if isinstance(item, dict) else id(item): item for item in items}


def _items(base: Mapping[object, JsonValue], over: Mapping[object, JsonValue]) -> list[JsonValue]:
    merged = {key: copy.deepcopy(item) for key, item in base.items()}
    for key, item in over.items():
        merged[key] = _value("", merged.get(key), item)
    return list(merged.values())
