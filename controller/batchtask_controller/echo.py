"""Whether the watch still shows this process its own writes: a stream can die without a word."""

from batchtask_controller.clock import Clock

LATE_AFTER = 180.0
"""Seconds without any event after a write: kopf makes a silent stream anew after 70."""


class Echo:
    """The time since the first write that no event of the watch has followed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unheard_since: float | None = None

    def wrote(self) -> None:
        """A write of this process succeeded."""
        if self._unheard_since is None:
            self._unheard_since = self._clock.monotonic()

    def heard(self) -> None:
        """The watch has shown something."""
        self._unheard_since = None

    def is_late(self) -> bool:
        """Whether the watch has been silent for too long after a write."""
        since = self._unheard_since
        return since is not None and self._clock.monotonic() - since > LATE_AFTER
