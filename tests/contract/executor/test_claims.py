"""What every implementation of the claims' port does."""

import pytest

from batchtask_executor.claim.instance import Claim, Claims
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_claims import KubeClaims
from batchtask_executor.cluster.tasks import AlreadyExists
from fakes.claims import FakeClaims
from fakes.clusters import Cluster, ServedCluster

FIRST = Claim("a", "https://a.example", "2026-01-01T00:00:00Z")
SECOND = Claim("b", "https://b.example", "2026-01-02T00:00:00Z")


@pytest.fixture
def claims(cluster: Cluster) -> Claims:
    if isinstance(cluster, ServedCluster):
        return KubeClaims(cluster.settings(), KubeApi(cluster.settings()))
    return FakeClaims()


def test_at_first_nobody_holds_it(claims: Claims) -> None:
    assert claims.read() is None


def test_a_claim_is_read_as_it_was_made(claims: Claims) -> None:
    claims.create(FIRST)

    assert claims.read() == FIRST


def test_it_is_made_once(claims: Claims) -> None:
    claims.create(FIRST)

    with pytest.raises(AlreadyExists):
        claims.create(SECOND)

    assert claims.read() == FIRST


@pytest.mark.parametrize("held", [True, False])
def test_it_is_taken_over_from_anybody_and_from_nobody(claims: Claims, held: bool) -> None:
    if held:
        claims.create(FIRST)

    claims.take_over(SECOND)

    assert claims.read() == SECOND
