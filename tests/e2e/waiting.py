"""Wait for what servers come to."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Tell whether the condition holds within so long; what is asked here are servers."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True
