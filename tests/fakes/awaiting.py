"""Wait for what another thread does."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Return once the condition holds; an AssertionError if it doesn't within so long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.002)
