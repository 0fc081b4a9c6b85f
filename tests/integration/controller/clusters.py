"""The two clusters that the ports' suite runs over: the fake, and the real API server."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from batchtask_api import BatchTask, names
from batchtask_controller.cluster import Api, ClusterLease, ClusterTasks, Connection
from batchtask_controller.leader import Leases
from batchtask_controller.tasks import Tasks, WorkloadSecret
from batchtask_local.apiserver import ApiServer
from builders import a_task
from fakes.clock import FakeClock
from fakes.cluster import FakeCluster
from integration.api.cluster import Tasks as UsersTasks


class Cluster(Protocol):
    """A cluster with our CRD, seen through the controller's ports and by its users."""

    @property
    def tasks(self) -> Tasks:
        """The port."""

    @property
    def leases(self) -> Leases:
        """The port."""

    async def create(self, name: str, *finalizers: str, workload: bool = False) -> BatchTask:
        """Create a task."""

    async def add_secret(self, name: str, secret: WorkloadSecret) -> None:
        """Create a Secret."""

    async def change_spec(self, name: str, **changes: Any) -> BatchTask:
        """Change a task's spec."""

    async def annotate(self, name: str) -> BatchTask:
        """Change something else of a task."""

    async def remove(self, name: str) -> None:
        """Ask for a task's deletion."""


class FakeOne:
    """The fake."""

    def __init__(self) -> None:
        self.fake = FakeCluster(FakeClock())
        self.tasks: Tasks = self.fake
        self.leases: Leases = self.fake

    async def create(self, name: str, *finalizers: str, workload: bool = False) -> BatchTask:
        return self.fake.add(a_task(name, finalizers=finalizers, workload=workload))

    async def add_secret(self, name: str, secret: WorkloadSecret) -> None:
        self.fake.add_secret(name, secret)

    async def change_spec(self, name: str, **changes: Any) -> BatchTask:
        return self.fake.change_spec(name, **changes)

    async def annotate(self, name: str) -> BatchTask:
        return self.fake.annotate(name, touched="yes")

    async def remove(self, name: str) -> None:
        self.fake.remove(name)


@dataclass
class RealOne:
    """The real API server, with the controller's own client."""

    tasks: ClusterTasks
    leases: ClusterLease
    users: UsersTasks

    async def create(self, name: str, *finalizers: str, workload: bool = False) -> BatchTask:
        wanted = a_task(name, finalizers=finalizers, workload=workload).to_json()
        metadata = {"name": name, "finalizers": list(finalizers)}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": metadata,
            "spec": wanted["spec"],
        }
        return BatchTask.from_json(await asyncio.to_thread(self.users.create, body))

    async def add_secret(self, name: str, secret: WorkloadSecret) -> None:
        content = base64.b64encode((secret.content or "").encode()).decode()
        expires = secret.expires.isoformat() if secret.expires else ""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "annotations": {names.ANNOTATION_TOKEN_EXPIRES: expires},
                "ownerReferences": [owner.to_json() for owner in secret.owners],
            },
            "type": secret.type,
            "data": {names.WORKLOAD_SECRET_KEY: content},
        }
        path = f"/api/v1/namespaces/{self.users.namespace}/secrets"
        await asyncio.to_thread(self.users.server.request, "POST", path, body)

    async def change_spec(self, name: str, **changes: Any) -> BatchTask:
        return await self._patched(name, {"spec": changes})

    async def annotate(self, name: str) -> BatchTask:
        return await self._patched(name, {"metadata": {"annotations": {"touched": "yes"}}})

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(self.users.delete, name)

    async def _patched(self, name: str, body: dict[str, Any]) -> BatchTask:
        return BatchTask.from_json(await asyncio.to_thread(self.users.patch, name, body))


@asynccontextmanager
async def real_cluster(server: ApiServer, namespace: str) -> AsyncIterator[RealOne]:
    """The controller's client, logged in as administrator."""

    def login() -> Connection:
        headers = {"Authorization": f"Bearer {server.admin_token}"}
        trust = ssl.create_default_context(cafile=str(server.ca_file))
        return Connection(server.url, headers, trust)

    api = Api(login, connections=4)
    try:
        yield RealOne(
            ClusterTasks(api, [namespace]),
            ClusterLease(api, namespace, "batchtask-controller"),
            UsersTasks(server, namespace),
        )
    finally:
        await api.close()
