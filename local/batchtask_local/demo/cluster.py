"""The cluster that the demonstration runs on: local mode's own, or one that the user named."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from batchtask_api import names
from batchtask_local.apiserver import ApiServer, ApiServerError, Progress, run

MANIFESTS = Path(__file__).resolve().parents[3] / "manifests"
AIRFLOW_NAMESPACE = "airflow"
AIRFLOW_ACCOUNTS = ("airflow-scheduler", "airflow-api-server")
CONTROLLER_NAMESPACE = "batchtask-system"

_LOGIN_SECONDS = 24 * 3600

Api = Literal["envtest", "emulator", "kubeconfig"]

_PATHS: Mapping[str, str] = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}


@dataclass(frozen=True)
class Cluster:
    """A cluster that is ready: the CRD, the namespaces and the rights are there."""

    description: str
    kubeconfig: Path
    """The user's own, for looking."""
    controller: Path
    """The controller's, with its own rights where the cluster knows rights."""
    executor: Path
    """The same for Airflow's scheduler."""
    reader: Path
    """The same for Airflow's api-server."""
    server: ApiServer | None = None

    def clear(self) -> None:
        """Delete the tasks, while their controller still runs: it must drop their finalizers.

        Local mode's own clusters go as a whole.
        """
        if self.server is None:
            words = ["delete", names.PLURAL, "--all", "--namespace", names.DEFAULT_NAMESPACE]
            _kubectl(self.kubeconfig, *words, "--timeout=60s")

    def table(self) -> str:
        """What `kubectl get batchtasks` prints."""
        words = ["get", names.SHORT_NAME, "--namespace", names.DEFAULT_NAMESPACE]
        if shutil.which("kubectl"):
            return _kubectl(self.kubeconfig, *words)
        assert self.server is not None, "a cluster of the user's is reached by kubectl alone"  # noqa: S101
        path = f"/apis/{names.API_VERSION}/namespaces/{names.DEFAULT_NAMESPACE}/{names.PLURAL}"
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        return _aligned(self.server.request("GET", path, accept=accept))


@contextlib.contextmanager
def cluster(api: Api, context: str | None, progress: Progress) -> Iterator[Cluster]:
    """A cluster to run on while the context lasts.

    Raises:
        ApiServerError: it can't be had; the text says why.
    """
    if api == "kubeconfig":
        with _named(context or "", progress) as named:
            yield named
        return
    with run(api, [MANIFESTS / "crd.yaml"], progress) as server:
        yield _local(server)


def _local(server: ApiServer) -> Cluster:
    server.create_namespace(AIRFLOW_NAMESPACE)
    _apply(server, MANIFESTS / "namespace.yaml")
    if server.kind == "emulator":
        everything = server.kubeconfig
        return Cluster("an emulator", everything, everything, everything, everything, server)
    _apply(server, MANIFESTS / "rbac.yaml")
    for name in AIRFLOW_ACCOUNTS:
        account = {"metadata": {"name": name, "namespace": AIRFLOW_NAMESPACE}}
        path = _PATHS["ServiceAccount"].format(namespace=AIRFLOW_NAMESPACE)
        server.request("POST", path, account)
    scheduler, api_server = AIRFLOW_ACCOUNTS
    login = partial(server.kubeconfig_for_service_account, seconds=_LOGIN_SECONDS)
    return Cluster(
        "a real kube-apiserver, with the rights of manifests/rbac.yaml",
        server.kubeconfig,
        login(CONTROLLER_NAMESPACE, "batchtask-controller"),
        login(AIRFLOW_NAMESPACE, scheduler),
        login(AIRFLOW_NAMESPACE, api_server),
        server,
    )


def _apply(server: ApiServer, file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        path = _PATHS[document["kind"]].format(**document["metadata"])
        server.request("POST", path, document)


@contextlib.contextmanager
def _named(context: str, progress: Progress) -> Iterator[Cluster]:
    """A cluster of the user's own: what is made there is removed again."""
    if not shutil.which("kubectl"):
        raise ApiServerError("kubectl is needed to use a cluster of your own")
    with _directory() as home:
        kubeconfig = home / "kubeconfig"
        flat = _run("kubectl", "config", "view", "--minify", "--flatten", "--context", context)
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(flat)
        progress(f"using the cluster of context {context}")
        with contextlib.ExitStack() as made:
            for name in ("crd.yaml", "namespace.yaml"):
                _make(kubeconfig, MANIFESTS / name, made)
            yield Cluster(f"context {context}", kubeconfig, kubeconfig, kubeconfig, kubeconfig)


def _make(kubeconfig: Path, file: Path, made: contextlib.ExitStack) -> None:
    """Make what the file holds, and have it removed; what is there already is another's."""
    for document in yaml.safe_load_all(file.read_text()):
        kind, name = document["kind"], document["metadata"]["name"]
        if _kubectl(kubeconfig, "get", kind, name, "--ignore-not-found", "-o", "name").strip():
            raise ApiServerError(
                f"this cluster has {kind} {name} already: the demo's controller would take over "
                "tasks that aren't its own; name a cluster without them"
            )
        _kubectl(kubeconfig, "create", "-f", "-", stdin=json.dumps(document))
        made.callback(_kubectl, kubeconfig, "delete", kind, name, "--timeout=60s")


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="batchtask-demo-") as name:
        yield Path(name)


def _kubectl(kubeconfig: Path, *words: str, stdin: str | None = None) -> str:
    return _run("kubectl", "--kubeconfig", str(kubeconfig), *words, stdin=stdin)


def _run(*command: str, stdin: str | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        command, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ApiServerError(f"{' '.join(command[:3])} …: {done.stderr.strip()}")
    return done.stdout


def _aligned(table: Mapping[str, Any]) -> str:
    """A Table reply as kubectl prints it, without its wide columns."""
    shown = [
        index
        for index, column in enumerate(table["columnDefinitions"])
        if not column.get("priority")
    ]
    head = [table["columnDefinitions"][index]["name"].upper() for index in shown]
    rows = [[_cell(row["cells"][index]) for index in shown] for row in table["rows"]]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = (
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *rows]
    )
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return "" if value is None else str(value)
