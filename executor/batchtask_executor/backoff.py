"""How long to wait before trying again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Twice as long each time up to a bound, with chance in it so that many don't come at once."""

    first_seconds: float = 1.0
    most_seconds: float = 30.0

    def seconds(self, failures: int, retry_after: float | None = None) -> float:
        """The wait after so many failures in a row, never under what the server asked for."""
        doubled = self.first_seconds * 2.0 ** min(max(failures - 1, 0), 16)
        chance = random.uniform(0.75, 1.25)  # noqa: S311 - it spreads load, it guards nothing
        return max(min(doubled, self.most_seconds) * chance, min(retry_after or 0.0, 300.0))
