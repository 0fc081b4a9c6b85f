import re

import pytest

from batchtask_executor.claim.claimant import airflow_claimant
from batchtask_executor.claim.instance import Claim, Foreign, Ours, claim_name, refusal, settle
from batchtask_executor.cluster.tasks import Conflict, Unavailable
from batchtask_executor.config import Settings
from fakes.claims import FakeClaims

OURS = Claim("a", "https://a.example", "2026-01-01T00:00:00Z")
THEIRS = Claim("b", "https://b.example", "2025-01-01T00:00:00Z")


def test_the_first_one_claims_the_instance() -> None:
    claims = FakeClaims()

    assert settle(claims, OURS) == Ours()
    assert claims.held == OURS


def test_who_holds_it_already_keeps_the_claim_as_it_is() -> None:
    before = Claim("a", "https://old.example", "2024-01-01T00:00:00Z")
    claims = FakeClaims(before)

    assert settle(claims, OURS) == Ours()
    assert claims.held == before


def test_the_second_one_is_told_of_the_first() -> None:
    claims = FakeClaims(THEIRS)

    assert settle(claims, OURS) == Foreign(THEIRS)
    assert claims.held == THEIRS


@pytest.mark.parametrize(
    ("rival", "standing"),
    [(THEIRS, Foreign(THEIRS)), (Claim("a", "another scheduler of ours", ""), Ours())],
)
def test_who_was_faster_is_looked_at(rival: Claim, standing: object) -> None:
    assert settle(FakeClaims(rival=rival), OURS) == standing


def test_what_cannot_be_told_is_not_guessed() -> None:
    with pytest.raises(Unavailable):
        settle(FakeClaims(down=Unavailable("down")), OURS)


def test_a_claim_that_comes_and_goes_is_looked_at_again() -> None:
    class Fleeting(FakeClaims):
        def read(self) -> Claim | None:
            super().read()
            return None

    with pytest.raises(Conflict):
        settle(Fleeting(THEIRS), OURS)


def test_the_refusal_names_the_holder_and_both_ways_out() -> None:
    words = refusal(Foreign(THEIRS), Settings(instance="prod"))

    for word in ("'prod'", "airflow-tasks", "https://b.example", "id b", "since 2025-01-01"):
        assert word in words
    assert "[batchtask_executor] instance" in words
    assert "`airflow batchtask claim`" in words


@pytest.mark.parametrize(
    "instance", ["airflow", "a", "Airflow", "a_b", "a.b", "a-b", "A_B", "a--b", "a" * 63, "Z" * 63]
)
def test_a_claims_name_is_one_that_kubernetes_takes(instance: str) -> None:
    part = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    assert re.fullmatch(rf"{part}(\.{part})*", claim_name(instance))
    assert len(claim_name(instance)) <= 253


def test_no_two_instances_share_a_claim() -> None:
    instances = ["a-b", "a.b", "a_b", "A-b", "a-B", "A_B", "a--b"]

    assert len({claim_name(instance) for instance in instances}) == len(instances)


def test_a_claim_names_its_airflow_without_the_login_in_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://me:secret@airflow.example.com/")

    assert airflow_claimant(Settings()).by() == "https://***@airflow.example.com/"
