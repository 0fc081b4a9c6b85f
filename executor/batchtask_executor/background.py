"""Work that a thread of its own does, so that the scheduler waits for none of it."""

import threading
from abc import ABC, abstractmethod


class Background(ABC):
    """Runs from start() until it is done or told to stop; no process waits for its end."""

    def __init__(self, name: str) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"batchtask-{name}", daemon=True)

    def start(self) -> None:
        """Start to work."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; returns at once."""
        self._stopped.set()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the thread's end."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)

    @abstractmethod
    def _run(self) -> None:
        """Work until `_stopped` is set."""
