"""What a callback raised, as Airflow's process in its job has written it."""

import json
from collections.abc import Sequence
from typing import Final

from batchtask_executor.redaction import presentable

_EVENT: Final = "Callback failed"
"""Airflow's message, whose field `error` has the exception in words."""


def raised(log_tail: Sequence[str]) -> str | None:
    """Find it in the last lines of a job's output; None where it isn't among them."""
    for line in reversed(log_tail):
        if (error := _error(line)) is not None:
            return presentable(error)
    return None


def _error(line: str) -> str | None:
    if _EVENT not in line:
        return None
    try:
        written = json.loads(line)
    except (ValueError, RecursionError):  # it may be the user's own, and nested without end
        return None
    is_it = isinstance(written, dict) and written.get("event") == _EVENT
    error = written.get("error") if is_it else None
    return error if isinstance(error, str) else None
