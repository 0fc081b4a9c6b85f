"""Rules for an object's name, labels, finalizers and owners."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from batchtask_local.apiserver.emulator.errors import Cause, invalid_value, required
from batchtask_local.apiserver.emulator.resources import NAMESPACES, Resource

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
NAME_LENGTH = 253
LABEL_LENGTH = 63


def validate_metadata(resource: Resource, metadata: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield what is wrong with an object's metadata."""
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from _name(resource, name)
    for key, value in (metadata.get("labels") or {}).items():
        yield from _label_value("metadata.labels", value)
        yield from _key("metadata.labels", key)
    for key in metadata.get("annotations") or ():
        yield from _key("metadata.annotations", key.lower())
    for owner in metadata.get("ownerReferences") or ():
        for key, empty in (
            ("apiVersion", "version must"),
            ("kind", "must"),
            ("name", "must"),
            ("uid", "must"),
        ):
            if not owner.get(key):
                path = f"metadata.ownerReferences.{key}"
                yield invalid_value(path, "", f"{empty} not be empty")


def _name(resource: Resource, name: str) -> Iterator[Cause]:
    if resource is NAMESPACES:
        kind, pattern, longest = "label", LABEL, LABEL_LENGTH
        extra, example = "", "'my-name',  or '123-abc'"
    else:
        kind, pattern, longest = "subdomain", SUBDOMAIN, NAME_LENGTH
        extra, example = " or '.'", "'example.com'"
    if len(name) > longest:
        yield _too_long("metadata.name", name, longest)
    if not re.fullmatch(pattern, name):
        allowed = "'-' or '.'" if extra else "'-'"
        joined = f"characters, {allowed}" if extra else "characters or '-'"
        why = (
            f"a lowercase RFC 1123 {kind} must consist of lower case alphanumeric {joined}, and "
            "must start and end with an alphanumeric character "
            f"(e.g. {example}, regex used for validation is '{pattern}')"
        )
        yield invalid_value("metadata.name", name, why)


def _label_value(path: str, value: str) -> Iterator[Cause]:
    if len(value) > LABEL_LENGTH:
        yield _too_long(path, value, LABEL_LENGTH)
    if not re.fullmatch(LABEL_VALUE, value):
        why = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', "
            "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "
            f"or 'my_value',  or '12345', regex used for validation is '{LABEL_VALUE}')"
        )
        yield invalid_value(path, value, why)


def _key(path: str, key: str) -> Iterator[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and not re.fullmatch(SUBDOMAIN, prefix):
        yield invalid_value(path, key, "prefix part must be a lowercase RFC 1123 subdomain")
    if len(name) > LABEL_LENGTH:
        yield invalid_value(path, key, f"name part must be no more than {LABEL_LENGTH} bytes")
    if not re.fullmatch(NAME_PART, name):
        why = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
            f"regex used for validation is '{NAME_PART}')"
        )
        yield invalid_value(path, key, why)


def _too_long(path: str, value: str, longest: int) -> Cause:
    return invalid_value(path, value, f"must be no more than {longest} bytes")
