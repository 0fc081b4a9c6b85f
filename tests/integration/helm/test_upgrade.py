"""An upgrade takes the CRD along, and changes controllers under live tasks."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from batchtask_local.batch import LocalBatchHandle
from helm.chart import CHART
from integration.faults.world import FOREVER, World, a_task, again_and_again
from integration.helm.cluster import CRD, Cluster, eventually, values_for
from integration.helm.kubelet import Kubelet

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

LIVE = 200
GAP_SECONDS = 15.0


def previous_chart(folder: Path) -> Path:
    """A chart of an earlier version, whose CRD knows neither log tails nor their column."""
    chart = folder / "chart"
    shutil.copytree(CHART, chart)
    about = chart / "Chart.yaml"
    text = about.read_text("utf-8").replace("version: 0.1.0", "version: 0.0.9")
    about.write_text(text.replace("appVersion: 0.1.0", "appVersion: 0.0.9"), "utf-8")
    file = chart / "files" / "crd-spec.yaml"
    crd = yaml.safe_load(file.read_text("utf-8"))
    version = crd["spec"]["versions"][0]
    version["additionalPrinterColumns"].pop()
    del version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["logTail"]
    file.write_text(yaml.safe_dump(crd), "utf-8")
    return chart


def test_an_upgrade_changes_the_crd_and_loses_no_task(
    cluster: Cluster, batch: LocalBatchHandle, tmp_path: Path
) -> None:
    world = World(cluster.server, cluster.tasks.namespace, batch)
    cluster.install(values_for(batch), chart=previous_chart(tmp_path))
    before = cluster.server.request("GET", CRD)
    world.create(a_task("old", seconds=FOREVER))
    eventually(lambda: world.is_in("Running", "old"), "the task runs")

    cluster.upgrade(values_for(batch))

    after = cluster.server.request("GET", CRD)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"]["app.kubernetes.io/version"] == "0.1.0"
    world.create(failing := a_task("new"))
    assert failing
    world.tasks.patch("new", {"status": {"logTail": ["a line"]}}, subresource="status")
    assert world.tasks.get("new")["status"]["logTail"] == ["a line"]
    assert world.is_in("Running", "old")
    world.audit()


def test_controllers_change_under_200_live_tasks_without_a_gap(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    world = World(cluster.server, cluster.tasks.namespace, batch)
    settings = {"callsPerSecond": 400}
    cluster.install(values_for(batch, settings=settings))
    live = [f"live-{number}" for number in range(LIVE)]
    world.create(*(a_task(name, seconds=FOREVER) for name in live))
    eventually(lambda: world.statuses()["RUNNING"] == LIVE, "all jobs run", seconds=90)
    old = names_of(cluster.kubelet)

    with (
        watched(batch) as gaps,
        again_and_again(lambda number: one_more(world, number)) as made,
    ):
        cluster.upgrade(values_for(batch, settings=settings, podAnnotations={"rolled": "yes"}))
        # helm's --wait ends when the new pods are ready, be the last old one gone or not.
        eventually(lambda: not old & names_of(cluster.kubelet), "the old controllers are gone")
        eventually(cluster.kubelet.leader, "a new controller leads", seconds=30)
    eventually(lambda: len(batch.jobs()) == LIVE + made[0], "every new task has its job")

    print(f"\n{made[0]} tasks came during the upgrade; longest gap {max(gaps):.1f} s")  # noqa: T201
    assert max(gaps) < GAP_SECONDS
    assert world.is_in("Running", *live)
    assert "could not be looked at" not in cluster.kubelet.logs()
    world.audit()


def names_of(kubelet: Kubelet) -> set[str]:
    return {pod.name for pod in kubelet.pods()}


def one_more(world: World, number: int) -> None:
    world.create(a_task(f"new-{number}", seconds=FOREVER))
    time.sleep(0.1)  # a steady stream: a gap in it is the controllers'


@contextmanager
def watched(batch: LocalBatchHandle) -> Iterator[list[float]]:
    """Measure how long no job is submitted while the block lasts."""
    gaps, stop = [0.0], Event()

    def look() -> None:
        known, since = len(batch.jobs()), time.monotonic()
        while not stop.wait(0.05):
            now = time.monotonic()
            if (number := len(batch.jobs())) != known:
                known, since = number, now
            gaps.append(now - since)

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield gaps
    finally:
        stop.set()
        thread.join(10)
