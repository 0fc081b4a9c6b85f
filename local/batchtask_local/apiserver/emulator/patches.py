"""Apply a patch to an object: a merge (RFC 7386) or a list of operations (RFC 6902)."""

from collections.abc import Mapping, Sequence
from typing import Any


class PatchFailedError(Exception):
    """An operation names what isn't there, or a test of it doesn't hold."""


def merged(target: object, patch: object) -> Any:
    """Return the target with a merge patch applied; null removes, and a list replaces a list.

    Keys with a $ (a strategic merge patch's directives) are left out.
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif not key.startswith("$"):
            result[key] = merged(result.get(key), value)
    return result


def operated(target: object, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Return the target with the operations of a JSON patch applied, all or none.

    Raises:
        PatchFailedError: one of them can't be applied.
    """
    for operation in operations:
        try:
            target = _operated(target, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise PatchFailedError(f"{operation.get('op')} {operation.get('path')}") from error
    return target


def _operated(target: object, operation: Mapping[str, Any]) -> object:
    path = _tokens(operation["path"])
    match operation["op"]:
        case "test":
            if _at(target, path) != operation["value"]:
                raise ValueError("the test doesn't hold")
            return target
        case "add":
            return _changed(target, path, "add", operation["value"])
        case "replace":
            return _changed(target, path, "replace", operation["value"])
        case "remove":
            return _changed(target, path, "remove")
        case "copy":
            return _changed(target, path, "add", _at(target, _tokens(operation["from"])))
        case "move":
            source = _tokens(operation["from"])
            without = _changed(target, source, "remove")
            return _changed(without, path, "add", _at(target, source))
        case _:
            raise ValueError("there is no such operation")


def _tokens(pointer: str) -> list[str]:
    first, *tokens = pointer.split("/")
    if first:
        raise ValueError("a pointer starts with a slash")
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def _at(target: Any, path: Sequence[str]) -> Any:
    for token in path:
        target = target[int(token)] if isinstance(target, list) else target[token]
    return target


def _changed(target: Any, path: Sequence[str], how: str, value: object = None) -> Any:
    """Return a copy of the target that is changed at the path; all else is shared with it."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(target, list):
        return _changed_list(target, key, rest, how, value)
    if rest or how != "add":
        target[key]  # it must be there
    result = dict(target)
    if rest:
        result[key] = _changed(target[key], rest, how, value)
    elif how == "remove":
        del result[key]
    else:
        result[key] = value
    return result


def _changed_list(
    target: list[Any], key: str, rest: Sequence[str], how: str, value: object
) -> list[Any]:
    result = list(target)
    index = len(target) if key == "-" and how == "add" else int(key)
    if index < 0 or index >= len(target) + (how == "add" and not rest):
        raise IndexError(index)
    if rest:
        result[index] = _changed(target[index], rest, how, value)
    elif how == "add":
        result.insert(index, value)
    elif how == "remove":
        del result[index]
    else:
        result[index] = value
    return result
