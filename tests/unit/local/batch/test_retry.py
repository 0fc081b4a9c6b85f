import pytest

from batchtask_local.batch.retry import Outcome, RetryStrategy, Rule, wants_retry

EXITED = Outcome(exit_code=1, reason=None, status_reason="Essential container in task exited")
RECLAIMED = Outcome(None, None, "Host EC2 (instance i-0123456789abcdef0) terminated.")
NOT_PULLED = Outcome(None, "CannotPullContainerError: not found", "Task failed to start")
INFRASTRUCTURE_ONLY = RetryStrategy(
    3,
    (
        Rule(retries=True, on_status_reason="Host EC2*"),
        Rule(retries=True, on_reason="CannotPull*"),
        Rule(retries=False, on_reason="*"),
    ),
)


def test_one_attempt_is_the_default() -> None:
    assert not wants_retry(RetryStrategy(), 1, EXITED)


def test_every_failure_is_retried_until_the_attempts_are_used_up() -> None:
    strategy = RetryStrategy(3)

    assert [wants_retry(strategy, made, EXITED) for made in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    ("outcome", "expected"), [(RECLAIMED, True), (NOT_PULLED, True), (EXITED, False)]
)
def test_rules_can_retry_only_what_never_started(outcome: Outcome, expected: bool) -> None:
    assert wants_retry(INFRASTRUCTURE_ONLY, 1, outcome) is expected


def test_no_rule_that_matches_means_retry() -> None:
    strategy = RetryStrategy(2, (Rule(retries=False, on_exit_code="42"),))

    assert wants_retry(strategy, 1, EXITED)


def test_the_first_rule_that_matches_wins() -> None:
    rules = (Rule(retries=False, on_exit_code="1*"), Rule(retries=True, on_exit_code="1"))

    assert not wants_retry(RetryStrategy(2, rules), 1, EXITED)


def test_every_pattern_of_a_rule_must_match() -> None:
    rule = Rule(retries=False, on_exit_code="1", on_status_reason="Host EC2*")

    assert wants_retry(RetryStrategy(2, (rule,)), 1, EXITED)


@pytest.mark.parametrize(
    ("pattern", "code", "expected"),
    [("1", 1, True), ("1", 13, False), ("1*", 13, True), ("*", 0, True), ("1", None, False)],
)
def test_a_star_counts_at_the_end_alone(pattern: str, code: int | None, expected: bool) -> None:
    rule = Rule(retries=True, on_exit_code=pattern)

    assert rule.matches(Outcome(code, None, "")) is expected
