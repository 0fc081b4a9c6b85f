"""Whether a failed attempt is tried again: retryStrategy and its evaluateOnExit rules."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One evaluateOnExit entry; every pattern that is given must match."""

    retries: bool
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None

    def matches(self, outcome: "Outcome") -> bool:
        """Tell whether this rule speaks of such an outcome."""
        exit_code = "" if outcome.exit_code is None else str(outcome.exit_code)
        pairs = (
            (self.on_status_reason, outcome.status_reason),
            (self.on_reason, outcome.reason or ""),
            (self.on_exit_code, exit_code),
        )
        return all(pattern is None or _matches(pattern, text) for pattern, text in pairs)


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """How often a job is tried (1 to 10 times), and which failures end it early."""

    attempts: int = 1
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a failed attempt ended, as the rules see it."""

    exit_code: int | None
    reason: str | None
    status_reason: str


def wants_retry(strategy: RetryStrategy, attempts_made: int, outcome: Outcome) -> bool:
    """Decide on a failed attempt: the first rule that matches wins, and no match is a retry."""
    if attempts_made >= strategy.attempts:
        return False
    for rule in strategy.rules:
        if rule.matches(outcome):
            return rule.retries
    return True


def _matches(pattern: str, text: str) -> bool:
    """Match as AWS does: a `*` counts at the end alone."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern
