from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask_executor.backoff import Backoff


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_waits_grow_to_a_bound(failures: int) -> None:
    backoff = Backoff(first_seconds=1.0, most_seconds=30.0)

    seconds = backoff.seconds(failures)

    expected = min(2.0 ** min(max(failures - 1, 0), 10), 30.0)
    assert 0.75 * expected <= seconds <= 1.25 * expected


def test_a_wait_is_never_under_what_the_server_asked_for_nor_endless() -> None:
    assert Backoff().seconds(1, retry_after=60) == 60
    assert Backoff().seconds(1, retry_after=10**9) == 300
