"""The API server is cut off, goes silent, or others write all the time: nothing is lost."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from batchtask_local.apiserver import ApiServer
from fakes.proxy import Proxy
from integration.faults.conftest import StartController
from integration.faults.frozen import FreezingProxy
from integration.faults.world import FOREVER, World, a_task, again_and_again, condition, eventually

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


def port_of(server: ApiServer) -> int:
    """Return the port on which a server listens."""
    port = urlsplit(server.url).port
    assert port
    return port


def by_way_of(port: int, kubeconfig: Path, directory: Path) -> Path:
    """Write a kubeconfig that reaches the server through a proxy on this port."""
    content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    for cluster in content["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
    file = directory / f"kubeconfig-{port}"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


@pytest.fixture
def proxy(envtest_server: ApiServer) -> Iterator[Proxy]:
    """A way to the API server that can be cut."""
    with Proxy(port_of(envtest_server)) as proxy:
        yield proxy


@pytest.fixture
def freezing(envtest_server: ApiServer) -> Iterator[FreezingProxy]:
    """A way to the API server that can go silent."""
    with FreezingProxy(port_of(envtest_server)) as proxy:
        yield proxy


def test_a_controller_cut_off_from_the_cluster_stops_by_itself_and_goes_on_afterwards(
    world: World, start: StartController, proxy: Proxy, account: Path, tmp_path: Path
) -> None:
    controller = start(KUBECONFIG=by_way_of(proxy.port, account, tmp_path))
    world.create(a_task("ends", seconds=6), a_task("goes-on", seconds=FOREVER))
    eventually(lambda: world.is_in("Running"))

    proxy.cut()
    world.create(*(a_task(f"during-{number}") for number in range(10)))
    eventually(lambda: not controller.leads(), seconds=12)
    eventually(
        lambda: controller.said("leadership was lost; nothing is submitted until it is back")
    )
    calls = len(world.batch.journal())
    eventually(lambda: len(world.running_jobs()) == 1, seconds=15)  # "ends", seen by nobody
    assert controller.runs()
    assert controller.is_alive()
    assert len(world.batch.jobs()) == 2
    # A sweep that was under way may have asked once more; then AWS is left alone.
    assert len(world.batch.journal()) <= calls + 1

    proxy.restore()
    eventually(controller.leads)
    world.create(a_task("later"))
    eventually(lambda: world.phases() == {"Succeeded": 12, "Running": 1})
    assert controller.runs()
    assert controller.errors() == []
    assert len(world.batch.jobs()) == 13
    world.audit()


def test_connections_that_go_silent_hide_no_task(
    world: World, start: StartController, freezing: FreezingProxy, account: Path, tmp_path: Path
) -> None:
    controller = start(KUBECONFIG=by_way_of(freezing.port, account, tmp_path))
    world.create(a_task("before", seconds=FOREVER))
    eventually(lambda: world.is_in("Running"))

    assert freezing.freeze() > 0
    world.create(*(a_task(f"during-{number}") for number in range(10)))
    # Its watch is dead, so that it learns of them by taking over again, or by watching anew.
    eventually(lambda: world.phases() == {"Succeeded": 10, "Running": 1}, seconds=60)

    assert controller.errors() == []
    assert controller.is_alive()
    world.audit()


def test_a_task_that_another_writes_to_all_the_time_gets_one_job_and_ends(
    world: World, start: StartController
) -> None:
    controller = start()

    def write(number: int) -> None:
        world.tasks.patch("busy", {"metadata": {"labels": {"written": str(number)}}})

    world.create(a_task("busy", seconds=2), a_task("quiet", seconds=2))
    with again_and_again(write) as writes:
        eventually(lambda: world.is_in("Succeeded", "busy", "quiet"), seconds=30)

    conflicts = controller.metric("batchtask_status_patches_total", outcome="Conflict")
    print(f"\n{writes[0]} writes by another, {conflicts:.0f} conflicts")  # noqa: T201 - a measurement
    assert writes[0] > 50
    assert len(world.batch.jobs()) == 2
    assert condition(world.tasks.get("busy"), "Succeeded")["status"] == "True"
    assert controller.errors() == []
    world.audit()
