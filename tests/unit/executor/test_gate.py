import logging
from collections.abc import Callable, Iterator

import pytest

from batchtask_executor.backoff import Backoff
from batchtask_executor.claim.gate import Claimant, Gate
from batchtask_executor.claim.instance import Claim
from batchtask_executor.cluster.tasks import Forbidden, Refused, TasksError, Unavailable
from batchtask_executor.config import Settings
from fakes.awaiting import until
from fakes.claims import FakeClaims, FixedId, a_claimant

THEIRS = Claim("b", "https://b.example", "2025-01-01T00:00:00Z")
Start = Callable[..., Gate]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Gate] = []

    def start(claims: FakeClaims, own_id: FixedId | None = None) -> Gate:
        claimant = Claimant(claims, own_id or FixedId(), lambda: "here")
        backoff = Backoff(first_seconds=0.01, most_seconds=0.02)
        gate = Gate(claimant, Settings(), backoff=backoff, interval_seconds=0.01)
        started.append(gate)
        gate.start()
        return gate

    yield start
    for gate in started:
        gate.stop()
        gate.join(10)


def is_open(gate: Gate) -> bool:
    try:
        gate.enter()
    except TasksError:
        return False
    return True


def test_it_opens_to_who_claims_the_instance(start: Start) -> None:
    claims = FakeClaims()
    gate = start(claims)

    gate.enter()

    assert gate.refusal is None
    assert claims.held
    assert claims.held.airflow == "this-airflow"


def test_it_is_closed_to_the_second_one_with_the_reason(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    gate = start(FakeClaims(THEIRS))

    with pytest.raises(Refused, match=r"belongs to another Airflow \(https://b.example, id b"):
        gate.enter()

    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "No task can run on AWS Batch: instance 'airflow'" in errors[0].getMessage()
    assert gate.refusal


def test_a_take_over_opens_the_one_and_closes_the_other(start: Start) -> None:
    claims = FakeClaims()
    first = start(claims)
    first.enter()
    second = start(claims, FixedId("second"))
    assert not is_open(second)

    claims.take_over(Claim("second", "there", "now"))

    until(lambda: is_open(second))
    until(lambda: not is_open(first))


def test_a_claim_that_people_deleted_is_made_again(start: Start) -> None:
    claims = FakeClaims()
    gate = start(claims)
    gate.enter()

    claims.held = None

    until(lambda: claims.held)
    gate.enter()


@pytest.mark.parametrize("error", [Unavailable("down"), Forbidden("no right")])
def test_what_keeps_the_answer_away_is_what_a_write_meets(start: Start, error: TasksError) -> None:
    claims = FakeClaims(down=error)
    gate = start(claims)

    with pytest.raises(type(error), match=str(error)):
        gate.enter()
    claims.down = None

    until(lambda: is_open(gate))


def test_a_database_that_cannot_be_asked_keeps_it_closed(start: Start) -> None:
    own_id = FixedId(down=Unavailable("no database"))
    claims = FakeClaims()
    gate = start(claims, own_id)

    with pytest.raises(Unavailable, match="no database"):
        gate.enter()

    assert not claims.requests


def test_once_open_an_outage_does_not_close_it(start: Start) -> None:
    claims = FakeClaims()
    gate = start(claims)
    gate.enter()
    claims.down = Unavailable("down")
    asked = claims.requests

    until(lambda: claims.requests > asked + 3)

    gate.enter()


def test_a_bug_is_logged_and_keeps_it_closed(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(FakeClaims):
        def read(self) -> Claim | None:
            raise KeyError("odd")

    gate = start(Odd())

    with pytest.raises(Unavailable, match="odd"):
        gate.enter()
    assert "A bug stopped the look at the instance's claim" in caplog.text


def test_without_a_thread_nothing_is_known() -> None:
    gate = Gate(a_claimant(FakeClaims()), Settings())
    gate.stop()

    with pytest.raises(Unavailable, match="isn't known yet"):
        gate.enter()
