"""Say what goes wrong again and again now and then only, and that it is over once."""

import logging
import threading
import time
from typing import Final

_INTERVAL_SECONDS: Final = 60.0


class Complaints:
    """Keeps a log readable while many requests meet the same trouble; safe from any thread."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._said: dict[type[Exception], float] = {}

    def about(self, error: Exception, *, mended_by_people: bool = False) -> None:
        """Log the error, unless one of its kind was logged within the last minute."""
        now = time.monotonic()
        with self._lock:
            last = self._said.get(type(error))
            if last is not None and now - last < _INTERVAL_SECONDS:
                return
            self._said[type(error)] = now
        level = logging.ERROR if mended_by_people else logging.WARNING
        self._log.log(level, "%s; will retry", error)

    def over(self) -> None:
        """Log that it works again, if it didn't."""
        if not self._said:
            return
        with self._lock:
            said = bool(self._said)
            self._said.clear()
        if said:
            self._log.info("The API server takes requests again")
