"""A net under each step that the scheduler's loop takes into the executor."""

from collections.abc import Callable
from typing import Any, Protocol


class Log(Protocol):
    """A logger: the standard library's, or Airflow's own."""

    def exception(self, message: str, /, *of: Any) -> Any:
        """Log the exception that is being handled."""


def guard(log: Log, step: Callable[..., object], *of: object) -> None:
    """Take a step; a bug in it is logged, and must not end the scheduler."""
    try:
        step(*of)
    except Exception:
        log.exception("A bug in %s", getattr(step, "__name__", step))
