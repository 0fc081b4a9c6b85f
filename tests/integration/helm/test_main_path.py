"""Controller and executor under the chart's own accounts: the whole way, and no right unused."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from batchtask_api import AirflowIdentity, names, rbac
from batchtask_executor.claim.instance import Claim
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_claims import KubeClaims
from batchtask_executor.config import Settings
from batchtask_local.batch import LocalBatchHandle
from fakes.airflow import HOME  # noqa: F401 - before anything of Airflow's
from fakes.executors import ConfiguredExecutor, options
from integration.faults.world import FOREVER, World, a_task, phase
from integration.helm.cluster import Cluster, eventually, values_for
from integration.helm.rights import Right, granted, used

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


@contextmanager
def executor(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfiguredExecutor]:
    """The executor as Airflow loads it, with the scheduler's account."""
    values: dict[str, Any] = {
        "namespace": cluster.tasks.namespace,
        "in_cluster": "False",
        "config_file": str(cluster.kubeconfig(rbac.AIRFLOW_SCHEDULER)),
        "job_queue": "default",
        "job_definition": "simulated",
    }
    for name, value in options(**values).items():
        monkeypatch.setenv(name, value)
    found = ConfiguredExecutor(parallelism=100)
    found.start()
    try:
        yield found
    finally:
        found.end()
        found.wait_for_the_end()


def settings_of(cluster: Cluster, account: rbac.Account) -> Settings:
    return Settings(
        namespace=cluster.tasks.namespace,
        in_cluster=False,
        config_file=str(cluster.kubeconfig(account)),
    )


def port(cluster: Cluster, account: rbac.Account) -> KubeBatchTasks:
    """The executor's port, as this account uses it."""
    return KubeBatchTasks(settings_of(cluster, account))


def named(workload: Any) -> str:
    return f"bt-{workload.ti.external_executor_id}"


def test_a_task_goes_the_whole_way_and_every_right_is_used(
    cluster: Cluster, batch: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(cluster.server, cluster.tasks.namespace, batch)
    cluster.install(values_for(batch))
    eventually(cluster.kubelet.leader, "a controller leads")

    with executor(cluster, monkeypatch) as first:
        runs = first.queue(task_id="load")
        first.loop_until(lambda: named(runs) in world.all())
        eventually(lambda: world.is_in("Succeeded", named(runs)), "the task runs to its end")
    written = secret_version(cluster, runs)
    with executor(cluster, monkeypatch) as restarted:
        # A scheduler that died in between queues the same again, finds it, and writes a new token.
        known = {"id": runs.ti.id, "external_executor_id": runs.ti.external_executor_id}
        restarted.queue(token=runs.token, **known)
        restarted.loop_until(lambda: secret_version(cluster, runs) != written)
    takes_the_claim_over(settings_of(cluster, rbac.AIRFLOW_SCHEDULER))
    reads_what_the_log_shows(cluster, runs)
    cancels_and_deletes(world, port(cluster, rbac.AIRFLOW_SCHEDULER))
    shows_the_last_words(world)
    ends_with_its_time(world)
    meets_others_changes(world)
    takes_over(cluster, world)

    accounts = (rbac.CONTROLLER, rbac.AIRFLOW_SCHEDULER, rbac.AIRFLOW_API_SERVER)
    for account in accounts:
        asked = used(cluster.audited(), account)
        refused = {right for right, code in asked if code == 403}
        assert refused == set(), account.name
        assert {right for right, _ in asked} == granted(account), account.name
    world.audit()


def secret_version(cluster: Cluster, workload: Any) -> str:
    path = f"/api/v1/namespaces/{cluster.tasks.namespace}/secrets/{named(workload)}"
    return str(cluster.server.request("GET", path)["metadata"]["resourceVersion"])


def takes_the_claim_over(settings: Settings) -> None:
    """What `airflow batchtask claim` asks for, after a new database."""
    claims = KubeClaims(settings, KubeApi(settings))
    claims.take_over(Claim("another", "here", "2026-01-01T00:00:00Z"))
    assert claims.read() == Claim("another", "here", "2026-01-01T00:00:00Z")


def reads_what_the_log_shows(cluster: Cluster, workload: Any) -> None:
    ti = workload.ti
    identity = AirflowIdentity(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
        try_number=ti.try_number,
    )
    found = port(cluster, rbac.AIRFLOW_API_SERVER).find(identity)
    assert [task.metadata.name for task in found] == [named(workload)]


def cancels_and_deletes(world: World, tasks: KubeBatchTasks) -> None:
    world.create(a_task("cancelled", seconds=FOREVER), a_task("deleted", seconds=FOREVER))
    eventually(lambda: world.is_in("Running", "cancelled", "deleted"), "both run")
    tasks.cancel("cancelled")
    world.tasks.delete("deleted")
    eventually(lambda: world.is_in("Cancelled", "cancelled"), "it is cancelled")
    eventually(lambda: "deleted" not in world.all(), "it is deleted")


def shows_the_last_words(world: World) -> None:
    body = a_task("fails")
    body["spec"]["job"]["containerOverrides"]["command"] = ["print", "no space left", "exit", "3"]
    world.create(body)
    eventually(lambda: world.is_in("Failed", "fails"), "it fails")
    assert world.tasks.get("fails")["status"]["logTail"] == ["no space left"]


def ends_with_its_time(world: World) -> None:
    world.create(a_task("short", ttlSecondsAfterFinished=0))
    eventually(lambda: "short" not in world.all(), "its time after the end is over")


def meets_others_changes(world: World) -> None:
    """Others change tasks all the time: of two writes one meets a conflict, and reads again."""
    busy = [f"busy-{number}" for number in range(8)]
    world.create(*(a_task(name) for name in busy))
    stop = threading.Event()

    def change(name: str) -> None:
        for number in count():
            if stop.is_set():
                return
            world.tasks.patch(name, {"metadata": {"labels": {"seen": str(number)}}})

    with ThreadPoolExecutor(len(busy)) as others:
        changing = [others.submit(change, name) for name in busy]
        try:
            eventually(lambda: world.is_in("Succeeded", *busy), "all end")
        finally:
            stop.set()
    assert all(each.exception() is None for each in changing)


def takes_over(cluster: Cluster, world: World) -> None:
    leader = cluster.kubelet.leader()
    assert leader
    leader.kill()
    world.create(a_task("after"))
    eventually(lambda: world.is_in("Succeeded", "after"), "the standby goes on")
    assert phase(world.tasks.get("after")) == "Succeeded"


def test_what_no_grant_names_is_refused(cluster: Cluster, batch: LocalBatchHandle) -> None:
    cluster.install(values_for(batch, replicas=0))

    for account in (rbac.CONTROLLER, rbac.AIRFLOW_SCHEDULER, rbac.AIRFLOW_API_SERVER):
        meant = granted(account)
        for where in (names.DEFAULT_NAMESPACE, rbac.CONTROLLER_NAMESPACE, "airflow", "default"):
            review = cluster.account(account).request(
                "POST",
                "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                {
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectRulesReview",
                    "spec": {"namespace": where},
                },
            )
            found = {
                Right(verb, resource)
                for rule in review["status"]["resourceRules"]
                if not set(rule["apiGroups"]) & {"authorization.k8s.io", "authentication.k8s.io"}
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
            here = {right for right in meant if right.where in ("", where)}
            assert found == {Right(right.verb, right.resource) for right in here}, (account, where)
