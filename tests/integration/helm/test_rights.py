"""Each right that the chart grants, taken away in turn: the product's own request is refused."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from batchtask_api import AirflowIdentity, BatchTask, names, rbac
from batchtask_controller.cluster import Api, ClusterLease, ClusterTasks, Connection, cluster_uid
from batchtask_controller.cluster_estate import ClusterEstate
from batchtask_controller.release import Held
from batchtask_controller.tasks import Conflict, Refused
from batchtask_executor.claim.instance import Claim
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_claims import KubeClaims
from batchtask_executor.cluster.manifest import workload_secret
from batchtask_executor.cluster.tasks import AlreadyExists, Forbidden
from batchtask_executor.config import Settings
from batchtask_local.apiserver import ApiServer
from helm.chart import NAMESPACE
from integration.faults import controller
from integration.faults.world import a_task
from integration.helm.cluster import Cluster, eventually

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

TASKS = names.DEFAULT_NAMESPACE
MERGE = "application/merge-patch+json"
SERIAL = count(1)


@dataclass(frozen=True)
class Case:
    """One verb of one rule."""

    grant: rbac.Grant
    rule: int
    verb: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What the table of requests calls it."""
        return self.grant.name, self.rule_resource, self.verb

    @property
    def rule_resource(self) -> str:
        """What the rule is about."""
        return self.grant.rules[self.rule].resource

    def role(self) -> str:
        """Where the role stands in the API."""
        where = (
            f"namespaces/{self.grant.namespace}/roles" if self.grant.namespace else "clusterroles"
        )
        return f"/apis/rbac.authorization.k8s.io/v1/{where}/{self.grant.name}"

    def rules_without(self) -> list[dict[str, Any]]:
        """Give the role's rules without the verb."""
        rules = [rule.to_json() for rule in self.grant.rules]
        rules[self.rule]["verbs"].remove(self.verb)
        return [rule for rule in rules if rule["verbs"]]


CASES = [
    Case(grant, number, verb)
    for grant in (*rbac.grants(), *rbac.hook_grants())
    for number, rule in enumerate(grant.rules)
    for verb in rule.verbs
]


class Account:
    """The product's own ports, logged in as one account of the chart."""

    def __init__(self, cluster: Cluster, account: rbac.Account, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self.kubeconfig = cluster.kubeconfig(account)
        self._server = cluster.account(account)

    def controllers(self, act: Callable[["Controllers"], Awaitable[object]]) -> None:
        """Do something with the controller's ports."""

        async def run() -> None:
            api = Api(lambda: login(self._server), connections=1)
            try:
                await act(Controllers(api))
            finally:
                await api.close()

        asyncio.run(run())

    def executors(self) -> KubeBatchTasks:
        """Give the executor's port."""
        return KubeBatchTasks(settings_of(self.kubeconfig))

    def claims(self) -> KubeClaims:
        """Give the executor's port to its claim."""
        settings = settings_of(self.kubeconfig)
        return KubeClaims(settings, KubeApi(settings))

    def new_task(self) -> BatchTask:
        """Create a task as the administrator; it names a Secret that isn't there."""
        created = self.cluster.tasks.create(a_body()["body"])
        return BatchTask.from_json(created)


class Controllers:
    """The controller's ports over one connection."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.tasks = ClusterTasks(api, [TASKS])
        self.lease = ClusterLease(api, NAMESPACE, f"lease-{next(SERIAL)}")
        self.estate = ClusterEstate(api)


def settings_of(kubeconfig: Path) -> Settings:
    return Settings(namespace=TASKS, in_cluster=False, config_file=str(kubeconfig))


def login(server: ApiServer) -> Connection:
    tls = ssl.create_default_context(cafile=str(server.ca_file))
    return Connection(server.url, {"Authorization": f"Bearer {server.admin_token}"}, tls)


def a_body() -> dict[str, Any]:
    name = f"right-{next(SERIAL)}"
    body = a_task(name)
    body["metadata"]["namespace"] = TASKS
    body["spec"]["workload"] = {"secretName": name}
    del body["spec"]["job"]["containerOverrides"]  # a workload brings its own command
    return {"name": name, "body": body}


def held(task: BatchTask) -> Held:
    metadata = task.metadata
    return Held(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version or "",
        finalizers=tuple(metadata.finalizers),
        is_deleting=False,
        job_id=None,
    )


def replaces_a_lease(account: Account) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

    async def act(ports: Controllers) -> None:
        lease = account.cluster.server.request(
            "POST",
            path,
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": ports.lease._name},
            },
        )
        await ports.lease.replace(lease, {"holderIdentity": "me"})

    account.controllers(act)


def watches(account: Account) -> None:
    """kopf's own watch, in the controller's process, which does not begin without the right."""
    process = controller.start(
        account.directory,
        f"watcher-{next(SERIAL)}",
        {
            "KUBECONFIG": account.kubeconfig,
            "BATCHTASK_LEASE_NAMESPACE": NAMESPACE,
            "BATCHTASK_LEASE_NAME": "watcher",
            "BATCHTASK_AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        },
        None,
    )
    try:
        eventually(
            lambda: process.said("took over") or process.said("may not watch batchtasks"),
            "it leads, or says why not",
        )
        if not process.said("took over"):
            assert not process.is_ready()
            raise Refused("watch")
        before = process.metric("batchtask_tasks", phase="Pending")
        account.new_task()
        eventually(
            lambda: process.metric("batchtask_tasks", phase="Pending") > before,
            "it sees a new task",
        )
    finally:
        process.kill()


def puts_a_workload(account: Account, times: int) -> None:
    task = account.new_task()
    administrators = KubeBatchTasks(settings_of(account.cluster.server.kubeconfig))
    secret = workload_secret(
        task, SecretStr('{"token": "x"}'), datetime.now(UTC) + timedelta(days=1)
    )
    for _ in range(times - 1):
        administrators.put_workload(secret)
    account.executors().put_workload(secret)


def follows(account: Account) -> None:
    tasks = account.executors()
    next(iter(tasks.watch("0")))
    tasks.close()


CLAIM = Claim("an id", "here", "2026-01-01T00:00:00Z")
IDENTITY = AirflowIdentity(dag_id="d", task_id="t", run_id="r", map_index=-1, try_number=1)
CONTROLLER, EXECUTOR = "batchtask-controller", "batchtask-executor"
REQUESTS: dict[tuple[str, str, str], Callable[[Account], object]] = {
    (CONTROLLER, "batchtasks", "get"): lambda account: account.controllers(
        lambda ports: ports.tasks.get(account.new_task())
    ),
    (CONTROLLER, "batchtasks", "list"): lambda account: account.controllers(
        lambda ports: ports.tasks.list()
    ),
    (CONTROLLER, "batchtasks", "watch"): watches,
    (CONTROLLER, "batchtasks", "patch"): lambda account: account.controllers(
        lambda ports: ports.tasks.set_finalizers(account.new_task(), [])
    ),
    (CONTROLLER, "batchtasks", "delete"): lambda account: account.controllers(
        lambda ports: ports.tasks.delete(account.new_task())
    ),
    (CONTROLLER, "batchtasks/status", "patch"): lambda account: account.controllers(
        lambda ports: ports.tasks.patch_status(account.new_task(), {"statusReason": "x"})
    ),
    (CONTROLLER, "namespaces", "get"): lambda account: account.controllers(
        lambda ports: cluster_uid(ports.api)
    ),
    ("batchtask-controller-workloads", "secrets", "get"): lambda account: account.controllers(
        lambda ports: ports.tasks.workload(account.new_task())
    ),
    ("batchtask-controller-leader", "leases", "get"): lambda account: account.controllers(
        lambda ports: ports.lease.read()
    ),
    ("batchtask-controller-leader", "leases", "create"): lambda account: account.controllers(
        lambda ports: ports.lease.create({"holderIdentity": "me"})
    ),
    ("batchtask-controller-leader", "leases", "update"): replaces_a_lease,
    (EXECUTOR, "batchtasks", "create"): lambda account: account.executors().create(
        BatchTask.from_json(a_body()["body"])
    ),
    (EXECUTOR, "batchtasks", "get"): lambda account: account.executors().get("none"),
    (EXECUTOR, "batchtasks", "list"): lambda account: account.executors().list(),
    (EXECUTOR, "batchtasks", "watch"): follows,
    (EXECUTOR, "batchtasks", "patch"): lambda account: account.executors().cancel(
        account.new_task().metadata.name
    ),
    (EXECUTOR, "secrets", "create"): lambda account: puts_a_workload(account, 1),
    (EXECUTOR, "secrets", "patch"): lambda account: puts_a_workload(account, 2),
    (EXECUTOR, "configmaps", "get"): lambda account: account.claims().read(),
    (EXECUTOR, "configmaps", "create"): lambda account: account.claims().create(CLAIM),
    (EXECUTOR, "configmaps", "patch"): lambda account: account.claims().take_over(CLAIM),
    ("batchtask-reader", "batchtasks", "list"): lambda account: account.executors().find(IDENTITY),
    (rbac.RELEASE, "batchtasks", "list"): lambda account: account.controllers(
        lambda ports: ports.estate.held()
    ),
    (rbac.RELEASE, "batchtasks", "patch"): lambda account: account.controllers(
        lambda ports: ports.estate.drop_finalizer(held(account.new_task()))
    ),
    (rbac.CHECK, "batchtasks", "list"): lambda account: account.controllers(
        lambda ports: ports.tasks.list()
    ),
    ("batchtask-check-leader", "leases", "get"): lambda account: account.controllers(
        lambda ports: ports.lease.read()
    ),
    # Last: where it is not refused, nothing of the tasks is left.
    (rbac.RELEASE, "customresourcedefinitions", "delete"): lambda account: account.controllers(
        lambda ports: ports.estate.delete_definition()
    ),
}


@pytest.fixture(scope="module")
def installed(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The chart without a controller, and its hooks' accounts, as while a hook runs."""
    shared_cluster.install({"replicas": 0})
    for name in (rbac.RELEASE, rbac.CHECK):
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        apply(shared_cluster, f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}", account)
    for grant in rbac.hook_grants():
        where = f"namespaces/{grant.namespace}/" if grant.namespace else ""
        kind = "role" if grant.namespace else "clusterrole"
        folder = f"/apis/rbac.authorization.k8s.io/v1/{where}{kind}"
        apply(shared_cluster, f"{folder}s/{grant.name}", grant.role())
        apply(shared_cluster, f"{folder}bindings/{grant.name}", grant.binding())
    yield shared_cluster
    shared_cluster.clear()


def apply(cluster: Cluster, path: str, body: dict[str, Any]) -> None:
    applied = f"{path}?fieldManager=test&force=true"
    cluster.server.request("PATCH", applied, body, content_type="application/apply-patch+yaml")


def test_every_right_has_its_request() -> None:
    assert sorted(REQUESTS) == sorted(case.key for case in CASES)


IN_ORDER = sorted(CASES, key=lambda case: list(REQUESTS).index(case.key))


@pytest.mark.parametrize("case", IN_ORDER, ids=["-".join(key) for key in REQUESTS])
def test_without_this_right_the_products_request_is_refused(
    case: Case, installed: Cluster, tmp_path: Path
) -> None:
    account = Account(installed, case.grant.account, tmp_path)
    request = REQUESTS[case.key]

    def is_refused() -> bool:
        try:
            with suppress(AlreadyExists, Conflict):
                request(account)
        except (Refused, Forbidden):
            return True
        return False

    # The uninstall's test sees this one work: here it would take all tasks along.
    if case.rule_resource != "customresourcedefinitions":
        assert not is_refused()
    path, meant = case.role(), [rule.to_json() for rule in case.grant.rules]
    installed.server.request("PATCH", path, {"rules": case.rules_without()}, content_type=MERGE)
    try:
        eventually(is_refused, f"{case.key} is refused", seconds=10)
    finally:
        installed.server.request("PATCH", path, {"rules": meant}, content_type=MERGE)
