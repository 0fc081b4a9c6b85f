"""What is the emulator's own: its limits, said in words, and how it comes and goes."""

import socket
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
import yaml

from batchtask_local.apiserver import ApiServer, ApiServerError, emulator
from integration.apiserver.clients import Http, Kubectl, Widgets, a_widget

pytestmark = pytest.mark.integration

WIDGETS = Path(__file__).with_name("widgets.yaml")
DEFINITION: dict[str, Any] = yaml.safe_load(WIDGETS.read_text("utf-8"))


def test_it_says_first_what_it_cannot_do() -> None:
    said: list[str] = []

    with emulator(on_progress=said.append):
        for limit in ("RBAC", "CEL", "admission", "server-side apply", "nothing is kept"):
            assert limit in said[0]


def test_it_leaves_no_thread_and_no_folder() -> None:
    before = threading.active_count()

    with emulator([WIDGETS]) as server:
        assert server.kubeconfig.exists()

    assert threading.active_count() == before
    assert not server.directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=5)


def test_an_open_watch_does_not_hold_it_up() -> None:
    with emulator([WIDGETS]) as server, urllib3.PoolManager(ca_certs=str(server.ca_file)) as pool:
        widgets = Widgets(Http(server, pool), "default")
        widgets.create(a_widget()).check()
        events = widgets.watch()
        assert next(events)["type"] == "ADDED"

    with pytest.raises((StopIteration, urllib3.exceptions.HTTPError)):
        next(events)


def test_a_watch_from_before_the_changes_it_remembers_is_gone() -> None:
    with (
        emulator([WIDGETS], log_limit=5) as server,
        urllib3.PoolManager(ca_certs=str(server.ca_file)) as pool,
    ):
        widgets = Widgets(Http(server, pool), "default")
        widgets.create(a_widget()).check()
        start = widgets.list(limit=1).ok["metadata"]["resourceVersion"]
        for size in range(1, 11):
            widgets.patch({"spec": {"size": size}}).check()
        remembered = widgets.list().ok["metadata"]["resourceVersion"]
        widgets.patch({"spec": {"size": 1}}).check()

        [gone] = widgets.watch(resourceVersion=start)
        [seen] = islice(widgets.watch(resourceVersion=remembered), 1)

    assert (gone["type"], gone["object"]["code"]) == ("ERROR", 410)
    assert seen["object"]["spec"]["size"] == 1


def test_a_definition_with_two_versions_is_refused(tmp_path: Path) -> None:
    [version] = DEFINITION["spec"]["versions"]
    spec = DEFINITION["spec"] | {"versions": [version, version | {"name": "v2", "storage": False}]}
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(DEFINITION | {"spec": spec}))

    with pytest.raises(ApiServerError, match="of one version only: use the real API server"):
        emulator([file]).__enter__()


def test_a_body_in_protobuf_is_refused_with_a_way_out(
    emulator_server: ApiServer, kubectl_of_emulator: Kubectl
) -> None:
    refused = kubectl_of_emulator.run("create", "namespace", "by-protobuf")

    assert refused.returncode == 1
    assert "use `kubectl apply -f`" in refused.stderr


@pytest.fixture
def kubectl_of_emulator(emulator_server: ApiServer, kubectl_program: Path) -> Kubectl:
    home = emulator_server.directory / "kubectl"
    return Kubectl(kubectl_program, emulator_server.kubeconfig, home, "default")


def test_it_runs_as_a_process(tmp_path: Path, kubectl_program: Path) -> None:
    kubeconfig, home = tmp_path / "kubeconfig", tmp_path / "home"
    command = [sys.executable, "-m", "batchtask_local.apiserver", "run", "--api=emulator"]
    process = subprocess.Popen(
        [*command, f"--crd={WIDGETS}", f"--kubeconfig-out={kubeconfig}", f"--dir={home}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        told = [process.stdout.readline() for _ in range(4)]
        found = Kubectl(kubectl_program, kubeconfig, tmp_path / "cache", "default")("get", "wd")
    finally:
        process.terminate()
        _, said = process.communicate(timeout=10)

    assert "emulator is up at https://127.0.0.1:" in told[0]
    assert f"export KUBECONFIG={kubeconfig}" in told[1]
    assert found == ""
    assert "The API server is an emulator" in said
    assert process.returncode == 0
    assert not kubeconfig.exists()
    assert (home / "kubeconfig").exists()


def test_the_projects_own_definition_is_served(emulator_server: ApiServer) -> None:
    kinds = emulator_server.request("GET", "/apis/batchtask.dev/v1alpha1")["resources"]

    assert [kind["name"] for kind in kinds] == ["batchtasks", "batchtasks/status"]
