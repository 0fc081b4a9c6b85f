"""What an API server refuses, and what the executor makes of it."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from batchtask_api import AirflowIdentity, BatchTask, Phase, rbac
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.manifest import Identity, batch_task, task_name, workload_secret
from batchtask_executor.cluster.tasks import Forbidden, Refused
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing
from batchtask_local.apiserver import ApiServer
from fakes.awaiting import until
from fakes.clusters import ServedCluster
from integration.executor.conftest import StartExecutor

pytestmark = pytest.mark.integration

AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id="r", try_number=1)
JOB: dict[str, Any] = {"jobQueue": "q", "jobDefinition": "d"}


def name_of(workload: Any) -> str:
    return task_name(workload.ti.external_executor_id)


def draft(cluster: ServedCluster, job: dict[str, Any]) -> BatchTask:
    identity = Identity(str(uuid.uuid4()), Queuing("q1"), AIRFLOW)
    return batch_task(
        identity, Job(job), namespace=cluster.namespace, instance="airflow", priority=0
    )


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({**JOB, "jobQeue": "q"}, "jobQeue"),
        ({**JOB, "containerOverrides": {"enviroment": []}}, "enviroment"),
        ({**JOB, "timeout": "1h"}, "spec.job.timeout"),
        ({"jobDefinition": "d"}, "spec.job.jobQueue"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    cluster: ServedCluster, job: dict[str, Any], field: str
) -> None:
    task = draft(cluster, job)

    with pytest.raises(Refused) as caught:
        cluster.tasks.create(task)

    assert field in str(caught.value)
    assert cluster.tasks.get(task.metadata.name) is None


@pytest.mark.envtest
def test_what_a_rule_forbids_is_refused_with_its_words(real_cluster: ServedCluster) -> None:
    task = draft(real_cluster, {**JOB, "arrayProperties": {"size": 10}})

    with pytest.raises(Refused, match="each child would start the same Airflow task"):
        real_cluster.tasks.create(task)


@pytest.mark.envtest
def test_a_missing_namespace_is_named(real_cluster: ServedCluster) -> None:
    nowhere = ServedCluster(real_cluster.server, "nowhere")

    with pytest.raises(Forbidden, match="create the namespace, or set"):
        nowhere.tasks.create(draft(nowhere, JOB))


@pytest.mark.envtest
def test_a_namespace_that_is_being_deleted_is_named(real_cluster: ServedCluster) -> None:
    held = real_cluster.tasks.create(draft(real_cluster, JOB))
    path = f"/api/v1/namespaces/{real_cluster.namespace}"
    real_cluster.server.request("DELETE", path)
    until(lambda: real_cluster.server.request("GET", path)["status"]["phase"] == "Terminating")

    with pytest.raises(Forbidden, match="the namespace is being deleted"):
        real_cluster.tasks.create(draft(real_cluster, JOB))

    real_cluster.release(held.metadata.name)


@pytest.mark.envtest
def test_a_quota_that_is_used_up_is_waited_for(
    real_cluster: ServedCluster, start: StartExecutor
) -> None:
    quota = f"/api/v1/namespaces/{real_cluster.namespace}/resourcequotas"
    hard = {"count/batchtasks.batchtask.dev": "0"}
    body = {"metadata": {"name": "tasks"}, "spec": {"hard": hard}}
    real_cluster.server.request("POST", quota, body)
    patch = {"status": {"hard": hard, "used": hard}}  # as the quota's controller would write it
    real_cluster.server.request(
        "PATCH", f"{quota}/tasks/status", patch, content_type="application/merge-patch+json"
    )
    executor = start(real_cluster)
    workload = executor.queue()
    executor.loop_until(lambda: executor.logged)
    assert "exceeded quota: tasks" in str(executor.logged[0][2])
    assert "raise the ResourceQuota" in str(executor.logged[0][2])

    real_cluster.server.request("DELETE", f"{quota}/tasks")

    executor.loop_until(lambda: real_cluster.workload(name_of(workload)))


def account(server: ApiServer, namespace: str) -> Path:
    """A kubeconfig of the scheduler's service account, made in that namespace."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    server.request("POST", path, {"metadata": {"name": "airflow-scheduler"}})
    return server.kubeconfig_for_service_account(namespace, "airflow-scheduler")


def give_rights(server: ApiServer, namespace: str) -> None:
    """Give the account the executor's rights and no others."""
    scheduler = rbac.Account("airflow-scheduler", namespace)
    (grant,) = [
        each
        for each in rbac.grants(tasks=namespace, scheduler=scheduler)
        if each.name == "batchtask-executor"
    ]
    group = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    server.request("POST", f"{group}/roles", grant.role())
    server.request("POST", f"{group}/rolebindings", grant.binding())


@pytest.mark.envtest
def test_a_missing_right_is_named_and_waited_for(
    real_cluster: ServedCluster, start: StartExecutor
) -> None:
    server, namespace = real_cluster.server, real_cluster.namespace
    executor = start(real_cluster, config_file=str(account(server, namespace)))
    workload = executor.queue()
    executor.loop_until(lambda: executor.logged)
    text = str(executor.logged[0][2])
    assert 'cannot get resource "configmaps"' in text  # the instance's claim comes first
    assert "manifests/rbac.yaml" in text
    assert workload.ti.key in executor.running

    give_rights(server, namespace)

    executor.loop_until(lambda: real_cluster.workload(name_of(workload)))


@pytest.mark.envtest
def test_the_executors_own_rights_do_for_all_it_does(
    real_cluster: ServedCluster, start: StartExecutor
) -> None:
    server, namespace = real_cluster.server, real_cluster.namespace
    kubeconfig = account(server, namespace)
    give_rights(server, namespace)
    executor = start(real_cluster, config_file=str(kubeconfig))
    first = executor.queue(task_id="first")
    executor.loop_until(lambda: real_cluster.workload(name_of(first)))
    real_cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(first.ti.key)[0] == "success"
    executor.pass_time(60)
    executor.loop_until(lambda: not len(executor._table))

    # Its name is taken, so the executor looks whose the task is.
    again = executor.queue(external_executor_id=first.ti.external_executor_id, task_id="again")
    _, made = executor.loop_until_event(again.ti.key)
    executor.loop_until(lambda: real_cluster.workload(task_name(made)))
    row: Any = again.ti
    task = real_cluster.tasks.get(task_name(made))
    assert task
    KubeBatchTasks(real_cluster.settings(config_file=str(kubeconfig))).put_workload(
        workload_secret(task, SecretStr("again"), datetime.now(UTC))
    )
    executor.rows.change(row, state="failed")
    executor.pass_time(60)
    executor.loop_until(lambda: not executor.running)
    until(lambda: real_cluster.read(task_name(made)).spec.cancel)
    assert "batchtask delayed" not in [event for _, event, _ in executor.logged]


@pytest.mark.envtest
def test_the_workloads_secret_cannot_be_read_with_the_executors_rights(
    real_cluster: ServedCluster,
) -> None:
    server, namespace = real_cluster.server, real_cluster.namespace
    kubeconfig = account(server, namespace)
    give_rights(server, namespace)
    settings = Settings(namespace=namespace, in_cluster=False, config_file=str(kubeconfig))
    tasks = KubeBatchTasks(settings)

    response = tasks._request("GET", f"/api/v1/namespaces/{namespace}/secrets", "look")

    assert response.status == 403
