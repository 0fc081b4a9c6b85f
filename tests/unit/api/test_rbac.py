"""The rights of each account, all of them in one table."""

from itertools import product
from typing import Any

import pytest

from batchtask_api import rbac

CONTROLLER = "batchtask-system/batchtask-controller"
SCHEDULER = "airflow/airflow-scheduler"
API_SERVER = "airflow/airflow-api-server"

RIGHTS = {
    # account, where ("*": in every namespace), resource (/ the one name): verbs
    (CONTROLLER, "*", "batchtasks"): {"get", "list", "watch", "patch", "delete"},
    (CONTROLLER, "*", "batchtasks/status"): {"patch"},
    (CONTROLLER, "*", "namespaces kube-system"): {"get"},
    (CONTROLLER, "airflow-tasks", "secrets"): {"get"},
    (CONTROLLER, "batchtask-system", "leases"): {"get", "create", "update"},
    (SCHEDULER, "airflow-tasks", "batchtasks"): {"create", "get", "list", "watch", "patch"},
    (SCHEDULER, "airflow-tasks", "secrets"): {"create", "patch"},
    (SCHEDULER, "airflow-tasks", "configmaps"): {"get", "create", "patch"},
    (API_SERVER, "airflow-tasks", "batchtasks"): {"list"},
}


def granted(documents: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[Any, set[str]]:
    """Read the rights out of the roles and bindings, as the API server does."""
    found: dict[Any, set[str]] = {}
    for role, binding in documents:
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        where = role["metadata"].get("namespace", "*")
        for subject, rule in product(binding["subjects"], role["rules"]):
            account = f"{subject['namespace']}/{subject['name']}"
            for resource in rule["resources"]:
                what = " ".join([resource, *rule.get("resourceNames", ())])
                found.setdefault((account, where, what), set()).update(rule["verbs"])
    return found


def test_these_are_all_the_rights_there_are() -> None:
    assert granted([(grant.role(), grant.binding()) for grant in rbac.grants()]) == RIGHTS


def test_the_namespaces_and_accounts_can_be_others() -> None:
    scheduler = rbac.Account("af", "flow")

    found = granted(
        [(grant.role(), grant.binding()) for grant in rbac.grants(tasks="t", scheduler=scheduler)]
    )

    assert found["flow/af", "t", "secrets"] == {"create", "patch"}
    assert found[CONTROLLER, "t", "secrets"] == {"get"}
    assert not [where for _, where, _ in found if where == "airflow-tasks"]


@pytest.mark.parametrize("grant", rbac.grants(), ids=lambda grant: grant.name)
def test_a_rule_says_which_code_needs_it(grant: rbac.Grant) -> None:
    for rule in grant.rules:
        assert ".py" in rule.why
        assert "*" not in {rule.group, rule.resource, *rule.verbs}


@pytest.mark.parametrize("grant", rbac.grants(), ids=lambda grant: grant.name)
def test_a_namespaced_role_is_bound_where_it_is(grant: rbac.Grant) -> None:
    kind = "Role" if grant.namespace else "ClusterRole"

    assert grant.role()["kind"] == kind
    assert grant.binding()["kind"] == f"{kind}Binding"
    assert grant.binding()["metadata"] == grant.role()["metadata"]
