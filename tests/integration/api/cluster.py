"""BatchTasks on a real API server, as its administrator writes and reads them."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchtask_api import names
from batchtask_local.apiserver import ApiServer

Body = Mapping[str, Any]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]

JOB: Body = {"jobQueue": "default", "jobDefinition": "local-shell"}


def a_task(name: str, **spec: Any) -> dict[str, Any]:
    """Build a task that the API server takes; what is given is added to its spec."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": {"job": dict(JOB), **spec},
    }


@dataclass(frozen=True)
class Tasks:
    """The BatchTasks of one namespace."""

    server: ApiServer
    namespace: str

    def path(self, name: str = "", subresource: str = "") -> str:
        """Give the address of a task, of its subresource, or of all tasks."""
        parts = (names.API_VERSION, "namespaces", self.namespace, names.PLURAL, name, subresource)
        return "/".join(["/apis", *filter(None, parts)])

    def create(self, body: Body) -> dict[str, Any]:
        """Create a task, as our own writers do: unknown fields are refused."""
        return self.server.request("POST", f"{self.path()}?fieldValidation=Strict", body)

    def get(self, name: str) -> dict[str, Any]:
        """Read a task."""
        return self.server.request("GET", self.path(name))

    def patch(self, name: str, body: Body, *, subresource: str = "") -> dict[str, Any]:
        """Merge the body into a task; None removes."""
        return self.server.request(
            "PATCH",
            f"{self.path(name, subresource)}?fieldValidation=Strict",
            body,
            content_type="application/merge-patch+json",
        )

    def replace(self, name: str, body: Body, *, subresource: str = "") -> dict[str, Any]:
        """Put the body in the task's place."""
        return self.server.request("PUT", self.path(name, subresource), body)

    def delete(self, name: str) -> None:
        """Delete a task."""
        self.server.request("DELETE", self.path(name))

    def names(self, selector: str) -> list[str]:
        """List the names of the tasks that a field selector (`a%3Db`) matches."""
        found = self.server.request("GET", f"{self.path()}?fieldSelector={selector}")
        return [item["metadata"]["name"] for item in found["items"]]
