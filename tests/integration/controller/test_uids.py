"""The sweep for orphans asks which tasks there are: all of them, those being deleted too."""

import uuid

import pytest

from batchtask_api import names
from batchtask_local.apiserver import ApiServer
from integration.controller.clusters import Cluster, FakeOne, real_cluster

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


async def created(cluster: Cluster, number: int) -> set[str]:
    """The uids of so many new tasks, the last of which is being deleted."""
    tasks = [await cluster.create(f"bt-{each}", names.FINALIZER) for each in range(number)]
    await cluster.remove(f"bt-{number - 1}")
    return {task.metadata.uid for task in tasks}


async def test_of_the_fake() -> None:
    cluster = FakeOne()

    assert await created(cluster, 3) == await cluster.tasks.uids()


async def test_of_the_real_api_server(envtest_server: ApiServer) -> None:
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    envtest_server.create_namespace(namespace)

    async with real_cluster(envtest_server, namespace) as cluster:
        assert await created(cluster, 5) == await cluster.tasks.uids()


async def test_of_the_real_api_server_without_any(envtest_server: ApiServer) -> None:
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    envtest_server.create_namespace(namespace)

    async with real_cluster(envtest_server, namespace) as cluster:
        assert await cluster.tasks.uids() == set()
