"""Label and field selectors."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from batchtask_local.apiserver.emulator.errors import bad_request
from batchtask_local.apiserver.emulator.resources import Object, Resource

Test = Callable[[Object], bool]

KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
SETS = re.compile(rf"\s*({KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
EQUALS = re.compile(rf"\s*({KEY})\s*(==?|!=)\s*([-A-Za-z0-9_.]*)\s*")
EXISTS = re.compile(rf"\s*(!?)\s*({KEY})\s*")


def selector(resource: Resource, labels: str, fields: str) -> Test:
    """Return a test for objects that match both selectors; an empty one matches all.

    Raises:
        StatusError: 400, one of them can't be read, or names a field that isn't selectable.
    """
    tests = [*map(_label_test, _terms(labels)), *_field_tests(resource, fields)]
    return lambda content: all(test(content) for test in tests)


def _terms(labels: str) -> list[str]:
    return re.split(r",(?![^(]*\))", labels) if labels.strip() else []


def _label_test(term: str) -> Test:
    if found := SETS.fullmatch(term):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda content: _labels(content).get(key) in values
        return lambda content: _labels(content).get(key) not in values
    if found := EQUALS.fullmatch(term):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda content: _labels(content).get(key) != value
        return lambda content: _labels(content).get(key) == value
    if found := EXISTS.fullmatch(term):
        negated, key = found.groups()
        return lambda content: (key in _labels(content)) is not bool(negated)
    raise bad_request(f"unable to parse requirement: {term.strip()}")


def _labels(content: Object) -> Mapping[str, str]:
    return content["metadata"].get("labels") or {}


def _field_tests(resource: Resource, fields: str) -> list[Test]:
    return [_field_test(resource, term) for term in fields.split(",") if term.strip()]


def _field_test(resource: Resource, term: str) -> Test:
    found = re.fullmatch(r"\s*([^=!]+?)\s*(==?|!=)\s*(.*?)\s*", term)
    if not found:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    path, operator, value = found.groups()
    if path not in ("metadata.name", "metadata.namespace", *resource.selectable):
        raise bad_request(f"field label not supported: {path}")
    keys = path.split(".")
    return lambda content: (_text_at(content, keys) == value) is (operator != "!=")


def _text_at(content: Any, keys: list[str]) -> str:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    if isinstance(content, bool):
        return str(content).lower()
    return "" if content is None else str(content)
