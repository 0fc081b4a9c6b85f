"""What only the real API server does, and that nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes import client

from batchtask_local.apiserver import ApiServer, ApiServerError, binaries, choose, envtest
from integration.apiserver.clients import GROUP, Http, Widgets, a_widget, client_of
from integration.apiserver.conftest import Eventually

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

START_SECONDS = 60
GONE_SECONDS = 10


@pytest.fixture
def widgets(envtest_server: ApiServer, namespace: str) -> Iterator[Widgets]:
    with urllib3.PoolManager(ca_certs=str(envtest_server.ca_file), retries=False) as pool:
        yield Widgets(Http(envtest_server, pool), namespace)


def test_a_service_account_may_do_what_it_was_given_and_nothing_else(
    envtest_server: ApiServer, namespace: str
) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    account = {"kind": "ServiceAccount", "name": "worker", "namespace": namespace}
    rule = {"apiGroups": [GROUP], "resources": ["widgets"], "verbs": ["list"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "worker"}
    name = {"metadata": {"name": "worker"}}
    envtest_server.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", name)
    kubeconfig = envtest_server.kubeconfig_for_service_account(namespace, "worker")

    with client_of(kubeconfig) as api:
        objects: Any = client.CustomObjectsApi(api)
        with pytest.raises(client.ApiException) as bare:
            objects.list_namespaced_custom_object(GROUP, "v1", namespace, "widgets")
        envtest_server.request("POST", f"{rbac}/roles", name | {"rules": [rule]})
        binding = name | {"roleRef": role, "subjects": [account]}
        envtest_server.request("POST", f"{rbac}/rolebindings", binding)
        allowed = _eventually_listed(objects, namespace)
        with pytest.raises(client.ApiException) as other:
            client.CoreV1Api(api).list_namespaced_secret(namespace)

    assert bare.value.status == 403
    assert f"system:serviceaccount:{namespace}:worker" in str(bare.value.body)
    assert allowed == []
    assert other.value.status == 403


def _eventually_listed(objects: Any, namespace: str) -> list[object]:
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        try:
            found = objects.list_namespaced_custom_object(GROUP, "v1", namespace, "widgets")
        except client.ApiException:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # the authorizer learns of a new role from its own watch
        else:
            return list(found["items"])


def test_rules_in_cel_are_enforced(widgets: Widgets) -> None:
    widgets.create(a_widget(color="red")).check()

    reply = widgets.patch({"spec": {"color": "blue"}})

    assert reply.refusal == (422, "Invalid")
    assert "color is immutable" in reply.message


def test_an_owned_secret_goes_within_a_second_of_its_owner(
    widgets: Widgets, envtest_server: ApiServer, eventually: Eventually
) -> None:
    owner = widgets.create(a_widget()).ok
    path = f"/api/v1/namespaces/{widgets.namespace}/secrets"
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {
        key: owner["metadata"][key] for key in ("name", "uid")
    }
    body = {"metadata": {"name": "s", "ownerReferences": [reference]}}
    envtest_server.request("POST", path, body)

    deleted = time.monotonic()
    widgets.delete().check()
    eventually(lambda: widgets.http.call("GET", f"{path}/s").status == 404)

    # A kind that the garbage collector didn't know from its start would take up to 30 seconds.
    assert time.monotonic() - deleted < GONE_SECONDS


def test_the_real_one_is_chosen_where_it_need_not_be_built(envtest_server: ApiServer) -> None:
    assert envtest_server.kind == choose() == "envtest"
    assert choose("emulator") == "emulator"


class Run:
    """`python -m batchtask_local.apiserver run`, up and ready."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "batchtask_local.apiserver", "run", *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        export = next((line for line in lines if "export KUBECONFIG=" in line), "")
        self.kubeconfig = Path(export.strip().partition("=")[2])

    def servers(self) -> list[str]:
        """The command lines that name this run's folder; what has ended has none any more."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.kubeconfig.parent) in line:
                found.append(line)
        return found

    def end(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)
        self.process.communicate(timeout=GONE_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind_however_its_parent_ends(
    number: signal.Signals, eventually: Eventually
) -> None:
    run = Run("--api", "envtest")
    try:
        before = run.servers()
        assert run.kubeconfig.exists()
    finally:
        run.end(number)

    assert len(before) == 4  # etcd, kube-apiserver, kube-controller-manager, and their guard
    eventually(lambda: not run.servers(), GONE_SECONDS)
    eventually(lambda: not run.kubeconfig.parent.exists(), GONE_SECONDS)
    assert run.process.returncode == (0 if number != signal.SIGKILL else -signal.SIGKILL)


def test_a_server_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    real = binaries.find()
    assert real
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "etcd").symlink_to(real.etcd)
    (assets / "kube-controller-manager").symlink_to(real.kube_controller_manager)
    broken = assets / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho the flux capacitor is missing >&2\nexit 3\n")
    broken.chmod(0o755)
    environ = os.environ | {"KUBEBUILDER_ASSETS": str(assets)}

    with (
        pytest.raises(ApiServerError, match="ended with code 3") as failed,
        envtest(environ=environ, directory=tmp_path / "work"),
    ):
        pass

    assert "the flux capacitor is missing" in str(failed.value)
    work = tmp_path / "work"
    assert (work / "logs/kube-apiserver.log").read_text() == "the flux capacitor is missing\n"
    assert sorted(file.name for file in work.iterdir()) == ["kubeconfig", "logs", "pki"]
