"""Each account may do what its code needs, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from batchtask_api import rbac
from batchtask_local.apiserver import ApiServer, RequestRefusedError
from integration.api.cluster import Kubectl, Tasks, a_task

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

TASKS, SYSTEM, ELSEWHERE = "airflow-tasks", "batchtask-system", "default"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = {  # with its group and its subresource
    "batchtasks": ("batchtask.dev", ""),
    "batchtasks/status": ("batchtask.dev", "status"),
    "secrets": ("", ""),
    "configmaps": ("", ""),
    "pods": ("", ""),
    "events": ("", ""),
    "leases": ("coordination.k8s.io", ""),
    "roles": ("rbac.authorization.k8s.io", ""),
}
READ = {"get", "list", "watch"}
BATCHTASKS = READ | {"patch", "delete"}
ALLOWED: dict[rbac.Account, dict[tuple[str, str], set[str]]] = {
    rbac.CONTROLLER: {
        **{(where, "batchtasks"): BATCHTASKS for where in (TASKS, SYSTEM, ELSEWHERE)},
        **{(where, "batchtasks/status"): {"patch"} for where in (TASKS, SYSTEM, ELSEWHERE)},
        (TASKS, "secrets"): {"get"},
        (SYSTEM, "leases"): {"get", "create", "update"},
    },
    rbac.AIRFLOW_SCHEDULER: {
        (TASKS, "batchtasks"): READ | {"create", "patch"},
        (TASKS, "secrets"): {"create", "patch"},
        (TASKS, "configmaps"): {"get", "create", "patch"},
    },
    rbac.AIRFLOW_API_SERVER: {(TASKS, "batchtasks"): {"list"}},
}


@pytest.fixture(scope="session")
def granted(envtest_server: ApiServer, kubectl: Kubectl) -> ApiServer:
    """The server with our rights, and with the accounts that Airflow's chart makes."""
    assert kubectl("apply", "-f", "manifests/").returncode == 0
    envtest_server.create_namespace(rbac.AIRFLOW_NAMESPACE)
    for account in (rbac.AIRFLOW_SCHEDULER, rbac.AIRFLOW_API_SERVER):
        accounts = f"/api/v1/namespaces/{account.namespace}/serviceaccounts"
        envtest_server.request(
            "PATCH",
            f"{accounts}/{account.name}?fieldManager=test",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account.name}},
            content_type="application/apply-patch+yaml",
        )
    return envtest_server


def logged_in(server: ApiServer, account: rbac.Account) -> ApiServer:
    """The same server, with a token of the account."""
    token = server.request(
        "POST",
        f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )["status"]["token"]
    return replace(server, admin_token=token)


def may(server: ApiServer, verb: str, resource: str, namespace: str, name: str = "") -> bool:
    """Ask the server whether the account that is logged in may do this."""
    group, subresource = RESOURCES.get(resource, ("", ""))
    asked = {
        "namespace": namespace,
        "verb": verb,
        "group": group,
        "resource": resource.partition("/")[0],
        "subresource": subresource,
        "name": name,
    }
    review = server.request(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        },
    )
    return bool(review["status"]["allowed"])


@pytest.mark.parametrize("account", ALLOWED, ids=lambda account: account.name)
def test_an_account_may_do_this_and_nothing_else(account: rbac.Account, granted: ApiServer) -> None:
    server = logged_in(granted, account)

    found: dict[tuple[str, str], set[str]] = {}
    for where, what, verb in product((TASKS, SYSTEM, ELSEWHERE), RESOURCES, VERBS):
        if may(server, verb, what, where):
            found.setdefault((where, what), set()).add(verb)

    assert found == ALLOWED[account]


def test_only_the_controller_reads_the_one_namespace_that_names_the_cluster(
    granted: ApiServer,
) -> None:
    controller = logged_in(granted, rbac.CONTROLLER)
    scheduler = logged_in(granted, rbac.AIRFLOW_SCHEDULER)

    assert controller.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert is_refused(controller, "GET", f"/api/v1/namespaces/{TASKS}")
    assert is_refused(controller, "GET", "/api/v1/namespaces")
    assert is_refused(scheduler, "GET", "/api/v1/namespaces/kube-system")


def is_refused(
    server: ApiServer, method: str, path: str, body: Mapping[str, Any] | None = None
) -> bool:
    """Send the request; tell whether it was refused for want of rights."""
    try:
        server.request(method, path, body)
    except RequestRefusedError as error:
        if error.status != 403:
            raise
        return True
    return False


@pytest.fixture
def a_secret(granted: ApiServer) -> Iterator[str]:
    """The path of a Secret in the tasks' namespace."""
    secrets = f"/api/v1/namespaces/{TASKS}/secrets"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rbac"}, "type": "x/y"}
    granted.request("POST", secrets, body)
    yield f"{secrets}/rbac"
    granted.request("DELETE", f"{secrets}/rbac")


def test_the_executor_writes_secrets_and_reads_none(granted: ApiServer, a_secret: str) -> None:
    scheduler = logged_in(granted, rbac.AIRFLOW_SCHEDULER)
    folder = a_secret.removesuffix("/rbac")
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}}

    assert not is_refused(scheduler, "POST", f"{folder}?dryRun=All", body)
    patched = scheduler.request(
        "PATCH",
        a_secret,
        {"stringData": {"workload.json": "{}"}},
        content_type="application/merge-patch+json",
    )
    assert patched["data"]
    assert is_refused(scheduler, "GET", a_secret)
    assert is_refused(scheduler, "GET", folder)
    assert is_refused(scheduler, "GET", f"{folder}?watch=true")
    assert is_refused(scheduler, "DELETE", a_secret)


def test_the_controller_reads_a_secret_by_name_and_lists_and_writes_none(
    granted: ApiServer, a_secret: str
) -> None:
    controller = logged_in(granted, rbac.CONTROLLER)
    folder = a_secret.removesuffix("/rbac")

    assert controller.request("GET", a_secret)["metadata"]["name"] == "rbac"
    assert is_refused(controller, "GET", folder)
    assert is_refused(controller, "PUT", a_secret, {})
    assert is_refused(controller, "GET", f"/api/v1/namespaces/{ELSEWHERE}/secrets/rbac")


def test_the_executor_makes_a_task_and_the_controller_carries_it_to_its_end(
    granted: ApiServer,
) -> None:
    executor = Tasks(logged_in(granted, rbac.AIRFLOW_SCHEDULER), TASKS)
    controller = Tasks(logged_in(granted, rbac.CONTROLLER), TASKS)
    reader = Tasks(logged_in(granted, rbac.AIRFLOW_API_SERVER), TASKS)
    body = a_task("rbac")
    body["metadata"]["finalizers"] = ["batchtask.dev/job"]

    executor.create(body)
    executor.patch("rbac", {"spec": {"cancel": True}})
    controller.patch("rbac", {"status": {"phase": "Cancelled"}}, subresource="status")
    assert reader.names("status.phase%3DCancelled,metadata.name%3Drbac") == ["rbac"]
    assert executor.get("rbac")["status"]["phase"] == "Cancelled"
    controller.delete("rbac")
    controller.patch("rbac", {"metadata": {"finalizers": None}})

    assert reader.names("metadata.name%3Drbac") == []


@pytest.mark.parametrize("account", ALLOWED, ids=lambda account: account.name)
def test_what_an_account_may_not_do_to_tasks_is_refused(
    account: rbac.Account, granted: ApiServer
) -> None:
    server = logged_in(granted, account)
    tasks = Tasks(server, TASKS)
    attempts = {
        "create": ("POST", f"{tasks.path()}?dryRun=All", a_task("x")),
        "status": ("PUT", tasks.path("x", "status"), {}),
        "update": ("PUT", tasks.path("x"), {}),
        "deletecollection": ("DELETE", f"{tasks.path()}?dryRun=All", None),
    }

    refused = {verb for verb, request in attempts.items() if is_refused(server, *request)}

    creates = {"create"} if account == rbac.AIRFLOW_SCHEDULER else set()
    assert refused == attempts.keys() - creates
