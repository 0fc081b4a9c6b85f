"""The two clocks, as a value that is passed in."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how much of it went by."""

    def now(self) -> datetime:
        """The wall clock, in UTC; it may jump."""

    def monotonic(self) -> float:
        """Seconds that only grow; comparable within this process alone."""


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()
