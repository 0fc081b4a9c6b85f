"""The tables that `kubectl get` prints."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchtask_local.apiserver.emulator.resources import Column, Object, Resource

STEP = re.compile(
    r"""\.?\[\?\(@\.(?P<key>[\w.]+)\s*==\s*["'](?P<value>[^"']*)["']\)\]"""
    r"""|\[["'](?P<quoted>[^"']+)["']\]|\[(?P<index>\d+|\*)\]|\.(?P<name>(?:\\.|[^.\[\\])+)"""
)


def table(
    resource: Resource,
    contents: Sequence[Object],
    *,
    revision: str,
    include: str,
    now: dt.datetime,
    with_columns: bool = True,
) -> Object:
    """Return objects as a Table; `include` says what of each object goes with its row."""
    rows = [
        {
            "cells": [_cell(column, content, now) for column in resource.columns],
            **_object(content, include),
        }
        for content in contents
    ]
    columns = [_definition(column) for column in resource.columns] if with_columns else []
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": revision},
        "columnDefinitions": columns,
        "rows": rows,
    }


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _object(content: Object, include: str) -> dict[str, Any]:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": content}
    kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {"object": {**kind, "metadata": content["metadata"]}}


def _cell(column: Column, content: Object, now: dt.datetime) -> Any:
    if counted := re.fullmatch(r"count\((.+)\)", column.path):
        return sum(len(found) for found in found_at(content, counted[1]))
    found = next(iter(found_at(content, column.path)), None)
    if found is None:
        return None
    if column.type == "date":
        return _age(str(found), now)
    if column.type == "string" and isinstance(found, bool):
        return str(found).lower()
    return str(found) if column.type == "string" else found


def found_at(content: object, path: str) -> list[Any]:
    """Return what a simple JSONPath, as printer columns have them, finds in an object."""
    found, position = [content], 0
    while position < len(path):
        step = STEP.match(path, position)
        if not step:
            return []
        position = step.end()
        found = [each for value in found for each in _step(value, step)]
    return found


def _step(value: Any, step: re.Match[str]) -> list[Any]:
    if step["key"]:
        listed = value if isinstance(value, list) else ()
        return [item for item in listed if _is_at(item, step["key"], step["value"])]
    if step["index"]:
        if not isinstance(value, list):
            return []
        return value if step["index"] == "*" else value[int(step["index"]) :][:1]
    key = step["quoted"] or re.sub(r"\\(.)", r"\1", step["name"])
    return [value[key]] if isinstance(value, Mapping) and key in value else []


def _is_at(item: object, key: str, value: str) -> bool:
    return any(str(found) == value for found in found_at(item, f".{key}"))


def _age(time: str, now: dt.datetime) -> str:
    try:
        passed = (now - dt.datetime.fromisoformat(time)).total_seconds()
    except (TypeError, ValueError):
        return "<invalid>"
    return human_duration(int(passed))


def human_duration(seconds: int) -> str:
    """Return a duration as kubectl has it: one or two units, coarser as it grows."""
    minute, hour, day = 60, 3600, 86400
    if seconds < -1:
        return "<invalid>"
    if seconds < 2 * minute:
        return f"{max(seconds, 0)}s"
    for limit, unit, sign, below, below_sign in (
        (10 * minute, minute, "m", 1, "s"),
        (3 * hour, minute, "m", 0, ""),
        (8 * hour, hour, "h", minute, "m"),
        (2 * day, hour, "h", 0, ""),
        (8 * day, day, "d", hour, "h"),
        (2 * 365 * day, day, "d", 0, ""),
    ):
        if seconds < limit:
            rest = seconds % unit // below if below else 0
            return f"{seconds // unit}{sign}" + (f"{rest}{below_sign}" if rest else "")
    return f"{seconds // (365 * day)}y"
