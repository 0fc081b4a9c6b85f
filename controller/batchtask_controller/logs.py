"""Structured logs: one JSON object a line, or text for a terminal."""

import logging
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

_FIELDS = ("task", "job_id", "jobs", "leader", "identity", "kept", "age_seconds")


class _TextFormatter(logging.Formatter):
    """The message, then what it is about as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        about = [
            f"{name}={value}"
            for name in _FIELDS
            if (value := getattr(record, name, None)) is not None
        ]
        return " ".join([super().format(record), *about])


def configure(form: Literal["json", "text"], level: str) -> None:
    """Log to standard error, this package from the level on and others from WARNING on."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(
            JsonFormatter(
                "{levelname}{name}{message}",
                style="{",
                timestamp="time",
                rename_fields={"levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(__package__).setLevel(level)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
