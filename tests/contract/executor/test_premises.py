"""What every implementation of the premises' port tells."""

import pytest

from batchtask_executor.checks.health import RIGHTS, Premises, examine, missing_fields
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_premises import KubePremises
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.config import Settings
from fakes.awaiting import until
from fakes.clusters import Cluster, ServedCluster
from fakes.premises import FakePremises


def premises_of(cluster: Cluster, namespace: str) -> Premises:
    if isinstance(cluster, ServedCluster):
        settings = cluster.settings(namespace=namespace)
        return KubePremises(settings, KubeApi(settings))
    return FakePremises(namespace_is_there=namespace == cluster.namespace)


@pytest.fixture
def premises(cluster: Cluster) -> Premises:
    return premises_of(cluster, cluster.namespace)


def test_the_crd_of_this_version_is_whole(premises: Premises) -> None:
    def published() -> bool:
        try:
            schema = premises.schema()
        except Unavailable:  # for some seconds after the CRD was made
            return False
        assert schema is not None
        return missing_fields(schema) == []

    until(published)


def test_an_administrator_has_every_right(premises: Premises) -> None:
    assert all(premises.may(right) for right in RIGHTS)


def test_a_namespace_is_there_or_not(cluster: Cluster) -> None:
    assert premises_of(cluster, cluster.namespace).has_namespace()
    assert not premises_of(cluster, "nowhere").has_namespace()


def test_all_is_well(cluster: Cluster, premises: Premises) -> None:
    until(lambda: not examine(premises, Settings(namespace=cluster.namespace)))
