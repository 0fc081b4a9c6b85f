"""One cluster for a test, stood in for or served by an API server, and what others do in it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from batchtask_api import BatchTask, BatchTaskStatus, names
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.tasks import BatchTasks
from batchtask_executor.config import Settings
from batchtask_local.apiserver import ApiServer, RequestRefusedError
from fakes.tasks import FakeBatchTasks


@dataclass(frozen=True)
class Workload:
    """What is found of a Secret."""

    type: str
    owner_uid: str
    content: str
    expires: str


class Cluster(Protocol):
    """The executor's port, and the other ways into the cluster behind it."""

    namespace: str

    @property
    def tasks(self) -> BatchTasks: ...

    def job_of(self, name: str) -> Mapping[str, Any]: ...
    def workload(self, name: str) -> Workload | None: ...
    def set_status(self, name: str, **changes: Any) -> None: ...
    def delete(self, name: str) -> None: ...
    def release(self, name: str) -> None: ...
    def relabel(self, name: str, instance: str) -> None: ...


@dataclass
class FakeCluster:
    """The stand-in."""

    tasks: FakeBatchTasks = field(default_factory=FakeBatchTasks)
    namespace: str = names.DEFAULT_NAMESPACE

    def job_of(self, name: str) -> Mapping[str, Any]:
        return self.tasks.objects[name].spec.job

    def workload(self, name: str) -> Workload | None:
        secret = self.tasks.secrets.get(name)
        return _workload(secret.to_json()) if secret else None

    def set_status(self, name: str, **changes: Any) -> None:
        self.tasks.set_status(name, **changes)

    def delete(self, name: str) -> None:
        self.tasks.delete(name)

    def release(self, name: str) -> None:
        self.tasks.release(name)

    def relabel(self, name: str, instance: str) -> None:
        self.tasks.relabel(name, instance)


@dataclass
class ServedCluster:
    """A namespace of an API server; the executor is its administrator."""

    server: ApiServer
    namespace: str
    instance: str = "airflow"

    def __post_init__(self) -> None:
        self.tasks: BatchTasks = KubeBatchTasks(self.settings())

    def settings(self, **changes: Any) -> Settings:
        values = {
            "namespace": self.namespace,
            "instance": self.instance,
            "in_cluster": False,
            "config_file": str(self.server.kubeconfig),
        }
        return Settings(**(values | changes))

    def job_of(self, name: str) -> Mapping[str, Any]:
        job: Mapping[str, Any] = self.server.request("GET", self._task(name))["spec"]["job"]
        return job

    def workload(self, name: str) -> Workload | None:
        try:
            return _workload(self.server.request("GET", self._secret(name)))
        except RequestRefusedError as refused:
            if refused.reason != "NotFound":
                raise
            return None

    def set_status(self, name: str, **changes: Any) -> None:
        status = BatchTaskStatus(**changes).to_json()
        self._patch(f"{self._task(name)}/status", {"status": status})

    def delete(self, name: str) -> None:
        self.server.request("DELETE", self._task(name))

    def release(self, name: str) -> None:
        self._patch(self._task(name), {"metadata": {"finalizers": None}})

    def relabel(self, name: str, instance: str) -> None:
        labels = {names.LABEL_INSTANCE: instance}
        self._patch(self._task(name), {"metadata": {"labels": labels}})

    def read(self, name: str) -> BatchTask:
        return BatchTask.from_json(self.server.request("GET", self._task(name)))

    def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        self.server.request("PATCH", path, body, content_type="application/merge-patch+json")

    def _task(self, name: str) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}/{name}"

    def _secret(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets/{name}"


def _workload(secret: Mapping[str, Any]) -> Workload:
    (owner,) = secret["metadata"]["ownerReferences"]
    return Workload(
        type=secret["type"],
        owner_uid=owner["uid"],
        content=base64.b64decode(secret["data"][names.WORKLOAD_SECRET_KEY]).decode(),
        expires=secret["metadata"]["annotations"][names.ANNOTATION_TOKEN_EXPIRES],
    )
