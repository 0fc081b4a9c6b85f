"""A cluster with a node, Airflow's accounts, and helm as its administrator."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchtask_api import names, rbac
from batchtask_local.apiserver import ApiServer, RequestRefusedError, binaries
from batchtask_local.batch import LocalBatchHandle
from helm.chart import CHART, NAMESPACE
from integration.api.cluster import Tasks
from integration.helm.kubelet import Kubelet

RELEASE = "batchtask"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/batchtasks.batchtask.dev"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/batchtask-controller"
CHECK = f"/api/v1/namespaces/{NAMESPACE}/pods/{RELEASE}-check"
CLAIMS = (
    f"/api/v1/namespaces/{names.DEFAULT_NAMESPACE}/configmaps?labelSelector={names.LABEL_INSTANCE}"
)
HOOK = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{RELEASE}-release"

Body = dict[str, Any]
Done = subprocess.CompletedProcess[str]


def eventually(condition: Callable[[], object], what: str, *, seconds: float = 60.0) -> None:
    """Return once the condition holds; an AssertionError that says what did not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


@dataclass(frozen=True)
class Cluster:
    """What the tests have in common; one release is installed at a time."""

    server: ApiServer
    kubelet: Kubelet
    home: Path
    audited_from: int = 0
    """Where in the audit log the test begins."""

    @property
    def audit_log(self) -> Path:
        """The API server's own log of who asked for what."""
        return self.home / "audit.log"

    @property
    def tasks(self) -> Tasks:
        """The tasks' own namespace."""
        return Tasks(self.server, names.DEFAULT_NAMESPACE)

    def helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> Done:
        """Run helm in the release's namespace."""
        words = [*arguments, "--namespace", NAMESPACE]
        words += [] if values is None else ["--values", "-"]
        return subprocess.run(
            [binaries.helm(), *words],
            input=None if values is None else json.dumps(values),
            env={
                "HOME": str(self.home),
                "KUBECONFIG": str(self.server.kubeconfig),
                "PATH": os.environ["PATH"],
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def install(self, values: Mapping[str, Any], *, chart: Path = CHART) -> Done:
        """Install the chart and wait until its pods are ready."""
        words = [
            "install",
            RELEASE,
            str(chart),
            "--create-namespace",
            "--wait",
            "--timeout",
            "120s",
        ]
        done = self.helm(*words, values=values)
        assert done.returncode == 0, done.stderr + self.kubelet.logs()
        return done

    def upgrade(self, values: Mapping[str, Any], *, chart: Path = CHART) -> Done:
        """Upgrade the release and wait until its new pods are ready."""
        words = ["upgrade", RELEASE, str(chart), "--wait", "--timeout", "180s"]
        done = self.helm(*words, values=values)
        assert done.returncode == 0, done.stderr + self.kubelet.logs()
        return done

    def account(self, account: rbac.Account) -> ApiServer:
        """Give the server as this account sees it."""
        path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = self.server.request("POST", path, asked)["status"]["token"]
        return ApiServer(
            self.server.url,
            self.server.kubeconfig,
            self.server.ca_file,
            token,
            self.server.kind,
            self.server.directory,
        )

    def kubeconfig(self, account: rbac.Account) -> Path:
        """Give the kubeconfig with which this account logs in."""
        return self.server.kubeconfig_for_service_account(account.namespace, account.name)

    def there_is(self, path: str) -> bool:
        """Tell whether something is there."""
        try:
            self.server.request("GET", path)
        except RequestRefusedError as error:
            if error.status != 404:
                raise
            return False
        return True

    def audited(self) -> Iterator[Body]:
        """Read every request that was answered since the test began."""
        with self.audit_log.open(encoding="utf-8") as lines:
            lines.seek(self.audited_from)
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)

    def clear(self) -> None:
        """Take away what a release and its tasks may have left."""
        self.helm("uninstall", RELEASE, "--no-hooks", "--ignore-not-found")
        eventually(self._has_no_task, "all tasks are gone")
        eventually(lambda: not self.kubelet.pods(), "the controllers are gone")
        for path in (LEASE, CHECK, HOOK):
            if self.there_is(path):
                self.server.request("DELETE", path)
        self.server.request("DELETE", CLAIMS)
        self.kubelet.forget_logs()

    def _has_no_task(self) -> bool:
        """Let all tasks go; tell whether none is left, and whether that could be seen."""
        try:
            if not self.there_is(CRD):
                return True
            listed = self.server.request("GET", self.tasks.path())["items"]
            for body in listed:
                self.tasks.patch(body["metadata"]["name"], {"metadata": {"finalizers": None}})
                self.tasks.delete(body["metadata"]["name"])
        except RequestRefusedError as error:
            # The CRD itself may be on its way out.
            assert error.status in {404, 429}, error  # noqa: PT017 - what else it is, is a failure
            return False
        return not listed


def values_for(batch: LocalBatchHandle, **of: Any) -> dict[str, Any]:
    """Give the values with which a release uses local Batch."""
    keys = {
        "AWS_ACCESS_KEY_ID": "controller",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    settings = {
        "awsEndpointUrl": batch.url,
        "awsRegion": "us-east-1",
        "pollIntervalSeconds": 0.3,
        "logFormat": "text",
    }
    return {
        "extraEnv": [{"name": name, "value": value} for name, value in keys.items()],
        **of,
        "settings": settings | of.get("settings", {}),
    }
