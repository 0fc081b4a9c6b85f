"""What each account may do in the cluster, and which code needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from batchtask_api import names

CONTROLLER_NAMESPACE: Final = "batchtask-system"
AIRFLOW_NAMESPACE: Final = "airflow"

_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Account:
    """A ServiceAccount."""

    name: str
    namespace: str

    def to_json(self) -> dict[str, Any]:
        """The account as a binding's subject."""
        return {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}


@dataclass(frozen=True)
class Rule:
    """Verbs on one resource, and the code that uses every one of them."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    resource_names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The rule as a role has it."""
        found: dict[str, Any] = {"apiGroups": [self.group], "resources": [self.resource]}
        if self.resource_names:
            found["resourceNames"] = list(self.resource_names)
        return found | {"verbs": list(self.verbs)}


@dataclass(frozen=True)
class Grant:
    """One role, with rules, bound to one account: in a namespace, or in all of them."""

    name: str
    account: Account
    rules: tuple[Rule, ...]
    namespace: str | None

    def role(self) -> dict[str, Any]:
        """The Role or ClusterRole."""
        return self._head(self._role_kind()) | {"rules": [rule.to_json() for rule in self.rules]}

    def binding(self) -> dict[str, Any]:
        """The RoleBinding or ClusterRoleBinding."""
        return self._head(f"{self._role_kind()}Binding") | {
            "roleRef": {"apiGroup": _RBAC, "kind": self._role_kind(), "name": self.name},
            "subjects": [self.account.to_json()],
        }

    def _role_kind(self) -> str:
        return "Role" if self.namespace else "ClusterRole"

    def _head(self, kind: str) -> dict[str, Any]:
        metadata = {"name": self.name} | ({"namespace": self.namespace} if self.namespace else {})
        return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata}


CONTROLLER: Final = Account("batchtask-controller", CONTROLLER_NAMESPACE)
AIRFLOW_SCHEDULER: Final = Account("airflow-scheduler", AIRFLOW_NAMESPACE)
AIRFLOW_API_SERVER: Final = Account("airflow-api-server", AIRFLOW_NAMESPACE)
RELEASE: Final = "batchtask-release"
CHECK: Final = "batchtask-check"


def grants(
    *,
    tasks: str = names.DEFAULT_NAMESPACE,
    controller: Account = CONTROLLER,
    scheduler: Account = AIRFLOW_SCHEDULER,
    api_server: Account = AIRFLOW_API_SERVER,
) -> Sequence[Grant]:
    """List every right there is, for tasks that live in the namespace `tasks`."""
    return (
        # A ClusterRole: a deleted namespace loses its bindings before the objects whose
        # finalizers wait for the controller, and it could never let go of them.
        Grant("batchtask-controller", controller, _CONTROLLER_RULES, None),
        Grant("batchtask-controller-workloads", controller, (_WORKLOADS,), tasks),
        Grant("batchtask-controller-leader", controller, (_LEADER,), controller.namespace),
        Grant("batchtask-executor", scheduler, EXECUTOR_RULES, tasks),
        Grant("batchtask-reader", api_server, _READER_RULES, tasks),
    )


def hook_grants(
    *, tasks: str = names.DEFAULT_NAMESPACE, system: str = CONTROLLER_NAMESPACE
) -> Sequence[Grant]:
    """List the rights of the chart's hooks, which are there only while such a hook runs."""
    check = Account(CHECK, system)
    return (
        Grant(RELEASE, Account(RELEASE, system), _RELEASE_RULES, None),
        Grant(CHECK, check, (_CHECKED_TASKS,), tasks),
        Grant("batchtask-check-leader", check, (_CHECKED_LEADER,), system),
    )


_CONTROLLER_RULES: Final = (
    Rule(
        names.GROUP,
        names.PLURAL,
        ("get", "list", "watch"),
        "list, watch: kopf's stream (handlers.py), one fresh list on taking the lease (cluster.py);"
        " get: to read again after a 409 (cluster.py)",
    ),
    Rule(
        names.GROUP,
        names.PLURAL,
        ("patch",),
        "to add and drop the finalizer (Claim and Release, cluster.py)",
    ),
    Rule(names.GROUP, names.PLURAL, ("delete",), "the end of a task's TTL (Delete, cluster.py)"),
    Rule(
        names.GROUP,
        f"{names.PLURAL}/status",
        ("patch",),
        "the intent before a submit, and what is seen of the job (cluster.py)",
    ),
    Rule(
        "",
        "namespaces",
        ("get",),
        "the cluster's uid, which tags its jobs (cluster.py)",
        resource_names=("kube-system",),
    ),
)
_WORKLOADS: Final = Rule(
    "", "secrets", ("get",), "the workload of a task that is submitted (cluster.py)"
)
_LEADER: Final = Rule(
    "coordination.k8s.io",
    "leases",
    ("get", "create", "update"),
    "leader election (leader.py, by way of cluster.py): read, first claim, renewal",
)
EXECUTOR_RULES: Final = (
    Rule(names.GROUP, names.PLURAL, ("create",), "a task for each workload (kube.py)"),
    Rule(
        names.GROUP,
        names.PLURAL,
        ("get", "list", "watch"),
        "list, watch: the cache that sync() drains (cache.py, by way of kube.py);"
        " get: which queuing made the task whose name is taken (kube.py, after a 409)",
    ),
    Rule(names.GROUP, names.PLURAL, ("patch",), "to set spec.cancel (kube.py)"),
    Rule(
        "",
        "secrets",
        ("create", "patch"),
        "the workload, and its fresh token (kube.py); it is written and never read back",
    ),
    Rule(
        "",
        "configmaps",
        ("get", "create", "patch"),
        "the instance's claim (kube_claims.py): read each minute, created by the first Airflow,"
        " patched by `airflow batchtask claim`",
    ),
)
_READER_RULES: Final = (
    Rule(
        names.GROUP,
        names.PLURAL,
        ("list",),
        "the tasks of one try, by their labels: why it waits or failed, shown as its log (logs.py,"
        " by way of kube.py)",
    ),
)
_RELEASE_RULES: Final = (
    Rule(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        ("delete",),
        "no new task once the release has begun (cluster_estate.py)",
        resource_names=(f"{names.PLURAL}.{names.GROUP}",),
    ),
    Rule(
        names.GROUP,
        names.PLURAL,
        ("list", "patch"),
        "what is still there, and to drop the finalizers of it (cluster_estate.py)",
    ),
)
_CHECKED_TASKS: Final = Rule(
    names.GROUP, names.PLURAL, ("list",), "that the kind is served (commands.py)"
)
_CHECKED_LEADER: Final = Rule(
    "coordination.k8s.io", "leases", ("get",), "that a controller leads (check.py)"
)


def namespaces() -> list[dict[str, Any]]:
    """The namespaces of the tasks and of the controller; Airflow's own is there already."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (names.DEFAULT_NAMESPACE, CONTROLLER_NAMESPACE)
    ]


def service_accounts() -> list[dict[str, Any]]:
    """The controller's account; Airflow's chart makes those of Airflow."""
    metadata = {"name": CONTROLLER.name, "namespace": CONTROLLER.namespace}
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}]
