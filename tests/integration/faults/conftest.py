"""Local Batch, the controller as a process with its own rights, and a namespace for both."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchtask_api import rbac
from batchtask_local.apiserver import ApiServer
from batchtask_local.batch import LocalBatchConfig, LocalBatchHandle, Queue, running
from integration.faults import controller
from integration.faults.controller import Controller
from integration.faults.world import DEFINITION, World, eventually

MANIFESTS = Path(__file__).parents[3] / "manifests"
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}
FACTOR = 0.03
"""A minute of the product's lasts 1.8 s in the scaled entry point."""

StartController = Callable[..., Controller]


def grant(server: ApiServer) -> Path:
    """Give the controller's account the rights of manifests/; return how it logs in."""
    for file in ("namespace.yaml", "rbac.yaml"):
        for document in yaml.safe_load_all((MANIFESTS / file).read_text(encoding="utf-8")):
            metadata = document["metadata"]
            if "namespace" in metadata:
                server.create_namespace(metadata["namespace"])
            path = f"{PATHS[document['kind']].format(**metadata)}/{metadata['name']}"
            applied = f"{path}?fieldManager=test&force=true"
            server.request("PATCH", applied, document, content_type="application/apply-patch+yaml")
    return server.kubeconfig_for_service_account(rbac.CONTROLLER.namespace, rbac.CONTROLLER.name)


@pytest.fixture(scope="session")
def account(envtest_server: ApiServer) -> Path:
    """The kubeconfig of the controller's own service account, with its own rights."""
    return grant(envtest_server)


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[LocalBatchHandle]:
    """Local Batch with two queues; its seconds are the machine's."""
    queues = (Queue("default", 10_000), Queue("other", 10_000))
    config = LocalBatchConfig(tmp_path / "batch", queues=queues, job_definitions=[DEFINITION])
    with running(config) as handle:
        yield handle


@pytest.fixture
def world(envtest_server: ApiServer, namespace: str, batch: LocalBatchHandle) -> World:
    """A namespace on the real API server, and local Batch."""
    return World(envtest_server, namespace, batch)


@pytest.fixture
def start(world: World, account: Path, tmp_path: Path) -> Iterator[StartController]:
    """Start a controller and wait until it leads (or stands by): `settings` go over the usual."""
    started: list[Controller] = []
    numbers = count(1)

    def start(*, factor: float | None = None, leads: bool = True, **settings: Any) -> Controller:
        usual = {
            "BATCHTASK_AWS_ENDPOINT_URL": world.batch.url,
            "BATCHTASK_LEASE_NAME": world.namespace,
            "BATCHTASK_NAMESPACES": world.namespace,
            "KUBECONFIG": account,
        }
        identity = f"controller-{next(numbers)}"
        new = controller.start(tmp_path, identity, usual | settings, factor)
        started.append(new)

        def is_up() -> bool:
            assert new.runs(), f"{identity} has ended"
            has_its_part = new.leads() if leads else new.said("standing by")
            return new.is_ready() and has_its_part

        eventually(is_up, seconds=40)
        return new

    yield start
    for each in started:
        if each.runs():
            each.kill()
        # Shown with a test that failed, and with no other.
        log = each.log.read_text(encoding="utf-8", errors="replace")[-8000:]
        print(f"\n--- {each.identity}\n{log}")  # noqa: T201 - that is what it is for
