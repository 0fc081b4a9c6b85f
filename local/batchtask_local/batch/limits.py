"""AWS's limits on what requests say, each checked in one place."""

import re
from collections.abc import Mapping

from batchtask_local.batch.errors import refused
from batchtask_local.batch.model import Document
from batchtask_local.batch.retry import RetryStrategy, Rule

MAX_SUBMIT_BYTES = 30 * 1024
MAX_REGISTER_BYTES = 24 * 1024
MAX_DEPENDENCIES = 20
MAX_TAGS = 50
MIN_TIMEOUT_SECONDS = 60
MAX_PATTERN = 512
MAX_REASON = 1024
ARRAY_SIZES = range(2, 10_001)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_ACTIONS = {"RETRY": True, "EXIT": False}


def check_job_name(name: str) -> None:
    """Refuse a jobName that isn't one."""
    if not _NAME.fullmatch(name):
        raise refused("Job name should match valid pattern")


def check_name(member: str, name: str) -> None:
    """Refuse a name of an environment, a queue or a definition that isn't one."""
    if not _NAME.fullmatch(name):
        raise refused(f"{member} should match valid pattern {_NAME.pattern}")


def check_size(what: str, size: int, limit: int) -> None:
    """Refuse a request whose JSON has more bytes than that."""
    if size > limit:
        raise refused(f"{what} size must be less than {limit >> 10} KiB, got {size >> 10} KiB")


def check_reason(reason: str) -> None:
    """Refuse the reason of a cancellation or termination if it is empty or too long."""
    if not 0 < len(reason) <= MAX_REASON:
        raise refused(f"reason must have 1 to {MAX_REASON} characters")


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that are too many or too long."""
    if len(tags) > MAX_TAGS:
        raise refused(f"A resource can have {MAX_TAGS} tags, not {len(tags)}")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.startswith("aws:"):
            raise refused(f"Tag key {key!r} must have 1 to 128 characters and not begin with aws:")
        if len(value) > 256:
            raise refused(f"The value of tag {key!r} must have at most 256 characters")


def timeout_seconds(timeout: Document) -> int | None:
    """Read a job's timeout.

    Raises:
        ApiError: it is under a minute.
    """
    seconds: int | None = timeout.get("attemptDurationSeconds")
    if seconds is not None and seconds < MIN_TIMEOUT_SECONDS:
        raise refused(f"attemptDurationSeconds must be at least {MIN_TIMEOUT_SECONDS}")
    return seconds


def retry_strategy(strategy: Document) -> RetryStrategy:
    """Read a retryStrategy; an empty one is AWS's default of one attempt.

    Raises:
        ApiError: it is over a limit, or has rules without a number of attempts.
    """
    if not strategy:
        return RetryStrategy()
    if "attempts" not in strategy:
        raise refused("RetryAttempts must be provided with retry strategy")
    if not 1 <= strategy["attempts"] <= 10:
        raise refused("RetryAttempts must be between 1 and 10")
    rules = strategy.get("evaluateOnExit", ())
    if len(rules) > 5:
        raise refused("evaluateOnExit can have 5 entries at most")
    return RetryStrategy(strategy["attempts"], tuple(_rule(rule) for rule in rules))


def _rule(document: Document) -> Rule:
    action = document["action"].upper()
    if action not in _ACTIONS:
        raise refused(f"evaluateOnExit action must be RETRY or EXIT, not {document['action']}")
    patterns = [document.get(key) for key in ("onStatusReason", "onReason", "onExitCode")]
    if not any(patterns):
        raise refused("evaluateOnExit needs one of onStatusReason, onReason, onExitCode")
    for pattern in patterns:
        if pattern is not None and (len(pattern) > MAX_PATTERN or "*" in pattern[:-1]):
            raise refused(
                f"evaluateOnExit patterns have {MAX_PATTERN} characters at most, and * only as "
                f"the last one: {pattern[:80]}"
            )
    return Rule(_ACTIONS[action], *patterns)
