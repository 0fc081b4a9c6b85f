"""An uninstall leaves what it is to leave, and never hangs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from batchtask_api import rbac
from batchtask_local.batch import LocalBatchHandle
from helm.chart import CHART, NAMESPACE
from integration.faults.world import FOREVER, World, a_task
from integration.helm.cluster import CRD, RELEASE, Cluster, eventually, values_for
from integration.helm.rights import granted, used

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

HOOKS_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{rbac.RELEASE}"
KEEPS_NOTHING = {"crds": {"keep": False}, "release": {"waitSeconds": 30}}


def world_of(cluster: Cluster, batch: LocalBatchHandle) -> World:
    return World(cluster.server, cluster.tasks.namespace, batch)


def test_the_crd_and_its_tasks_outlive_the_chart_and_go_on_with_the_next(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    world = world_of(cluster, batch)
    cluster.install(values_for(batch))
    world.create(a_task("live", seconds=FOREVER))
    eventually(lambda: world.is_in("Running", "live"), "the task runs")

    removed = cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "90s")

    assert removed.returncode == 0, removed.stderr
    assert "airflow-tasks" in removed.stdout  # what was kept is said
    assert cluster.there_is(CRD)
    assert world.is_in("Running", "live")
    assert world.statuses() == {"RUNNING": 1}

    cluster.install(values_for(batch))
    world.tasks.delete("live")
    eventually(lambda: not world.all(), "the next controller lets it go")
    assert world.statuses() == {"FAILED": 1}
    world.audit()


def test_without_keep_a_hook_ends_all_jobs_and_nothing_hangs(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    world = world_of(cluster, batch)
    cluster.install(values_for(batch, **KEEPS_NOTHING))
    eventually(cluster.kubelet.leader, "a controller leads")
    world.create(*(a_task(f"live-{number}", seconds=FOREVER) for number in range(5)))
    eventually(lambda: world.is_in("Running"), "the tasks run")

    removed = cluster.helm("uninstall", RELEASE, "--timeout", "90s")

    assert removed.returncode == 0, removed.stderr + cluster.kubelet.logs("release")
    eventually(lambda: not cluster.there_is(CRD), "the CRD is gone", seconds=30)
    assert world.statuses() == {"FAILED": 5}
    assert "dropped the finalizer" not in cluster.kubelet.logs("release")


def test_without_keep_and_without_a_controller_the_finalizers_are_dropped(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    world = world_of(cluster, batch)
    cluster.install(values_for(batch, crds={"keep": False}, release={"waitSeconds": 1}, replicas=0))
    world.create(a_task("held"))

    removed = cluster.helm("uninstall", RELEASE, "--timeout", "90s")

    assert removed.returncode == 0, removed.stderr + cluster.kubelet.logs("release")
    eventually(lambda: not cluster.there_is(CRD), "the CRD is gone", seconds=30)
    said = cluster.kubelet.logs("release")
    assert "dropped the finalizer of airflow-tasks/held: no controller did" in said
    hook = rbac.Account(rbac.RELEASE, NAMESPACE)
    asked = used(cluster.audited(), hook)
    assert {right for right, _ in asked} == granted(hook)
    assert 403 not in {code for _, code in asked}


def test_by_hand_every_task_goes_and_the_crd_stays(
    cluster: Cluster, batch: LocalBatchHandle, tmp_path: Path
) -> None:
    world = world_of(cluster, batch)
    cluster.install(values_for(batch, replicas=0))
    world.create(*(a_task(f"held-{number}") for number in range(3)))

    done = subprocess.run(
        [sys.executable, "-m", "batchtask_controller", "release", "--all", "--wait-seconds", "0"],
        env={"HOME": str(tmp_path), "KUBECONFIG": str(cluster.server.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert world.all() == {}
    assert cluster.there_is(CRD)


def test_a_broken_hook_fails_the_uninstall_and_takes_nothing_away(
    cluster: Cluster, batch: LocalBatchHandle, tmp_path: Path
) -> None:
    broken = tmp_path / "chart"
    shutil.copytree(CHART, broken)
    hook = broken / "templates" / "release-hook.yaml"
    hook.write_text(hook.read_text("utf-8").replace('"--all"', '"--everything"'), "utf-8")
    cluster.install(values_for(batch, replicas=0, **KEEPS_NOTHING), chart=broken)

    removed = cluster.helm("uninstall", RELEASE, "--timeout", "60s")

    assert removed.returncode != 0
    assert "batchtask-release" in removed.stderr
    assert "--all" in cluster.kubelet.logs("release")
    assert cluster.there_is(CRD)
    assert not cluster.there_is(HOOKS_ROLE)  # and no right of the hook is left behind
