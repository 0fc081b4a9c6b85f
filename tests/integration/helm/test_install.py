"""The chart on a real API server: installed by `helm install --wait`, asked by `helm test`."""

from typing import Any

import pytest

from batchtask_api import rbac
from batchtask_local.batch import LocalBatchHandle
from helm.chart import NAMESPACE, render
from helm.matrix import MATRIX
from integration.helm.cluster import CRD, RELEASE, Cluster, eventually, values_for
from integration.helm.rights import granted, used

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

OF_PROMETHEUS = {"PodMonitor", "ServiceMonitor", "PrometheusRule"}
"""Kinds that this server does not have; test_monitoring.py's has."""
THREE = ("defaults", "uninstalls-all", "extras")


@pytest.mark.parametrize("name", THREE)
def test_it_installs_and_waits_until_a_controller_leads(
    name: str, cluster: Cluster, batch: LocalBatchHandle
) -> None:
    of = {key: value for key, value in MATRIX[name].items() if key in CARRIED}

    said = cluster.install(values_for(batch, **of)).stdout

    assert f"helm test {RELEASE} --namespace {NAMESPACE}" in said
    for command in ("preflight", "probe"):
        assert f"deploy/airflow-scheduler -- airflow batchtask {command}\n" in said
    assert len(cluster.kubelet.pods()) == 2
    eventually(cluster.kubelet.leader, "a controller leads")
    tested = cluster.helm("test", RELEASE, "--timeout", "60s")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert cluster.there_is(CRD)


def test_the_charts_test_uses_its_rights_and_no_others(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    cluster.install(values_for(batch))

    tested = cluster.helm("test", RELEASE, "--timeout", "60s")

    assert tested.returncode == 0, tested.stdout + tested.stderr
    check = rbac.Account(rbac.CHECK, NAMESPACE)
    assert used(cluster.audited(), check) == {(right, 200) for right in granted(check)}


CARRIED = {"crds", "release", "fullnameOverride", "commonLabels", "podLabels", "podAnnotations"}
"""What a set of values may bring: its volumes and its proxy are not on this node."""


def test_the_charts_test_fails_where_no_controller_runs(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    cluster.install(values_for(batch, replicas=0))

    tested = cluster.helm("test", RELEASE, "--timeout", "60s")

    assert tested.returncode != 0
    assert "no controller has ever led" in cluster.kubelet.logs("check")


@pytest.mark.parametrize("name", MATRIX)
def test_the_api_server_takes_every_object(name: str, cluster: Cluster) -> None:
    cluster.server.create_namespace(NAMESPACE)
    for namespace in ("airflow-tasks", "team-a", "team-b"):
        cluster.server.create_namespace(namespace)

    rendered = render(MATRIX[name])
    for body in rendered.all("ServiceAccount"):
        if "helm.sh/hook" in body["metadata"].get("annotations", {}):
            apply(cluster, body)  # without its account a pod is refused, in a dry run too

    for body in rendered.objects:
        if body["kind"] not in OF_PROMETHEUS:
            apply(cluster, body, "&dryRun=All")


def apply(cluster: Cluster, body: dict[str, Any], options: str = "") -> None:
    strictly = f"?fieldManager=test&fieldValidation=Strict&force=true{options}"
    cluster.server.request(
        "PATCH", path_of(body) + strictly, body, content_type="application/apply-patch+yaml"
    )


PLACES = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "FlowSchema": "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Namespace": "/api/v1/namespaces",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Pod": "/api/v1/namespaces/{}/pods",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "PriorityLevelConfiguration": (
        "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
    ),
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ValidatingAdmissionPolicy": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    ),
    "ValidatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    ),
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
}


def path_of(body: dict[str, Any]) -> str:
    metadata = body["metadata"]
    return f"{PLACES[body['kind']].format(metadata.get('namespace', NAMESPACE))}/{metadata['name']}"
