"""What the executor makes of an API server that is away, comes back, or never was there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from batchtask_api import Phase
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.manifest import task_name
from batchtask_executor.cluster.tasks import Gone, NotInstalled
from batchtask_local.apiserver import emulator
from fakes.clusters import ServedCluster
from fakes.executors import ConfiguredExecutor
from fakes.proxy import Proxy
from integration.executor.conftest import StartExecutor

pytestmark = pytest.mark.integration
CRD = Path(__file__).parents[3] / "manifests" / "crd.yaml"


def name_of(workload: Any) -> str:
    return task_name(workload.ti.external_executor_id)


def changed_kubeconfig(cluster: ServedCluster, path: Path, *, server: str, token: str = "") -> str:
    content = yaml.safe_load(cluster.server.kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = server
    if token:
        content["users"][0]["user"]["token"] = token
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def proxy(cluster: ServedCluster) -> Iterator[Proxy]:
    port = urlsplit(cluster.server.url).port
    assert port
    with Proxy(port) as proxy:
        yield proxy


@pytest.fixture
def executor(
    cluster: ServedCluster, proxy: Proxy, start: StartExecutor, tmp_path: Path
) -> ConfiguredExecutor:
    """The executor behind the proxy."""
    url = f"https://127.0.0.1:{proxy.port}"
    return start(
        cluster, config_file=changed_kubeconfig(cluster, tmp_path / "kubeconfig", server=url)
    )


def test_what_happens_while_the_server_is_away_is_seen_after_it(
    cluster: ServedCluster, proxy: Proxy, executor: ConfiguredExecutor
) -> None:
    before = executor.queue(task_id="before")
    executor.loop_until(lambda: cluster.workload(name_of(before)))
    proxy.cut()
    cluster.set_status(name_of(before), phase=Phase.SUCCEEDED)
    meanwhile = executor.queue(task_id="meanwhile")
    executor.loop_until(lambda: "batchtask delayed" in [event for _, event, _ in executor.logged])

    proxy.restore()

    assert executor.loop_until_event(before.ti.key)[0] == "success"
    executor.loop_until(lambda: cluster.workload(name_of(meanwhile)))
    cluster.set_status(name_of(meanwhile), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(meanwhile.ti.key)[0] == "success"


def test_a_server_that_is_away_at_the_start_is_waited_for(
    cluster: ServedCluster, proxy: Proxy, start: StartExecutor, tmp_path: Path
) -> None:
    url = f"https://127.0.0.1:{proxy.port}"
    proxy.cut()
    file = changed_kubeconfig(cluster, tmp_path / "kubeconfig", server=url)
    executor = start(cluster, config_file=file)
    workload = executor.queue()
    executor.loop_until(lambda: executor.logged)
    ((_, event, text),) = executor.logged
    assert event == "batchtask delayed"
    assert text
    assert f"no answer from {url}" in text
    assert "[batchtask_executor]" in text

    proxy.restore()

    executor.loop_until(lambda: cluster.workload(name_of(workload)))


def test_refused_credentials_are_read_again(
    cluster: ServedCluster, start: StartExecutor, tmp_path: Path
) -> None:
    file, url = tmp_path / "kubeconfig", cluster.server.url
    executor = start(
        cluster, config_file=changed_kubeconfig(cluster, file, server=url, token="wrong")
    )
    workload = executor.queue()
    executor.loop_until(lambda: executor.logged)
    assert "Unauthorized (401)" in str(executor.logged[0][2])

    changed_kubeconfig(cluster, file, server=url)

    executor.loop_until(lambda: cluster.workload(name_of(workload)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_cluster": "True"}, "in_cluster is true, and this is no pod"),
        ({"config_file": "/nowhere/kubeconfig"}, "config_file /nowhere/kubeconfig"),
        ({"cluster_context": "moon"}, "cluster_context moon can't be used"),
    ],
)
def test_a_way_to_the_cluster_that_does_not_lead_there_is_named(
    cluster: ServedCluster, start: StartExecutor, options: dict[str, str], words: str
) -> None:
    executor = start(cluster, **options)
    workload = executor.queue()

    executor.loop_until(lambda: executor.logged)

    assert words in str(executor.logged[0][2])
    assert workload.ti.key in executor.running


def test_a_kubeconfig_that_is_no_yaml_is_named(
    cluster: ServedCluster, start: StartExecutor, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("{unbalanced: [")
    executor = start(cluster, config_file=str(file))
    executor.queue()

    executor.loop_until(lambda: executor.logged)

    assert f"config_file {file}" in str(executor.logged[0][2])


def test_without_the_crd_tasks_wait_for_it(start: StartExecutor, tmp_path: Path) -> None:
    with emulator() as bare:
        bare.create_namespace("tasks")
        cluster = ServedCluster(bare, "tasks")
        executor = start(cluster)
        workload = executor.queue()
        executor.loop_until(lambda: executor.logged)
        assert "install the CRD (manifests/crd.yaml" in str(executor.logged[0][2])
        with pytest.raises(NotInstalled):
            cluster.tasks.list()

        bare.apply_crds([CRD])

        executor.loop_until(lambda: cluster.workload(name_of(workload)))
        executor.end()


def test_a_history_that_is_forgotten_is_listed_again(start: StartExecutor, tmp_path: Path) -> None:
    with emulator([CRD], log_limit=10) as server:
        server.create_namespace("tasks")
        cluster = ServedCluster(server, "tasks")
        port = urlsplit(server.url).port
        assert port
        with Proxy(port) as proxy:
            url = f"https://127.0.0.1:{proxy.port}"
            file = changed_kubeconfig(cluster, tmp_path / "kubeconfig", server=url)
            executor = start(cluster, config_file=file)
            kept, ended, deleted = (executor.queue(task_id=f"t{number}") for number in range(3))
            executor.loop_until(lambda: cluster.workload(name_of(deleted)))
            executor.loop_until(lambda: not executor._parts.writer._open)  # type: ignore[union-attr]
            proxy.cut()
            cluster.set_status(name_of(ended), phase=Phase.SUCCEEDED)
            cluster.delete(name_of(deleted))
            cluster.release(name_of(deleted))
            for number in range(40):
                cluster.relabel(name_of(kept), "airflow" if number % 2 else f"x{number}")
            proxy.restore()

            events = executor.loop_until(lambda: executor.running == {kept.ti.key})

            executor.end()
        assert events[ended.ti.key][0] == "success"
        assert events[deleted.ti.key][0] == "failed"
        assert "was deleted before its end" in events[deleted.ti.key][1]


@pytest.mark.envtest
def test_a_watch_from_before_the_history_is_gone(real_cluster: ServedCluster) -> None:
    tasks = real_cluster.tasks

    with pytest.raises(Gone):
        list(zip(tasks.watch("1"), range(5), strict=False))


@pytest.mark.envtest
def test_a_watch_that_stays_silent_is_gone(real_cluster: ServedCluster) -> None:
    """From a version after the store's, as an etcd that was restored has it."""
    tasks = KubeBatchTasks(real_cluster.settings(), silence_seconds=0.5)

    with pytest.raises(Gone, match="not even a bookmark"):
        list(tasks.watch("999999999"))
