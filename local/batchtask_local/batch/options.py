"""What the command line's words mean."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batchtask_local.batch.faults import Faults
from batchtask_local.batch.service import Queue

ERROR = ("operation", "code", "status", "times")
REPLY = ("outcome", "operation", "times", "seconds")
"""The parts of an `error=` and of a `reply=`, between colons; those at the end may be missing."""


def queue(text: str) -> Queue:
    """Read `NAME:VCPUS` or `NAME:VCPUS:PRIORITY`."""
    name, *numbers = text.split(":")
    if not name or len(numbers) not in {1, 2} or not all(map(str.isdecimal, numbers)):
        raise argparse.ArgumentTypeError(f"{text!r} isn't NAME:VCPUS or NAME:VCPUS:PRIORITY")
    return Queue(name, *map(int, numbers))


def variable(text: str) -> tuple[str, str]:
    """Read `KEY=VALUE`."""
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} isn't KEY=VALUE")
    return key, value


def job_definitions(text: str) -> Sequence[Mapping[str, Any]]:
    """Read a file with one RegisterJobDefinition request, or a list of them."""
    try:
        document = json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} isn't JSON: {error}") from None
    requests = document if isinstance(document, list) else [document]
    if not all(isinstance(request, dict) for request in requests):
        raise argparse.ArgumentTypeError(f"{text} must hold a RegisterJobDefinition request")
    return requests


def faults(settings: Sequence[str], current: Faults) -> Faults:
    """Change faults by `key=value` words: `error=` and `reply=` add one, the others set.

    Raises:
        ValueError: a word isn't right; the text says which and why.
    """
    changed = current.model_dump()
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise ValueError(f"{setting!r} isn't KEY=VALUE")
        match key:
            case "error":
                changed["errors"] = (*changed["errors"], _fields("error", ERROR, value))
            case "reply":
                changed["replies"] = (*changed["replies"], _fields("reply", REPLY, value))
            case "denied_queues":
                changed[key] = [name for name in value.split(",") if name]
            case _:
                changed[key] = None if value == "none" else value
    try:
        return Faults.model_validate(changed)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def _fields(key: str, names: Sequence[str], value: str) -> dict[str, str]:
    parts = value.split(":")
    if len(parts) > len(names):
        raise ValueError(f"{key}={value} has more parts than {':'.join(names)}")
    return {name: part for name, part in zip(names, parts, strict=False) if part}


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]
