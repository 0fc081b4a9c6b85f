"""The policy's two checks, the controller's and the API server's, say the same of every case."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batchtask_api import admission, names
from batchtask_api.policy import Allowed, refusal
from batchtask_local.apiserver import ApiServer, RequestRefusedError, binaries, envtest
from contract.policy.cases import CASES, RULES, Case
from integration.api.cluster import Tasks, a_task
from integration.conftest import CRDS
from integration.controller.support import until

NAMESPACES = ("team-a", "team-b", "team-c", "team-d")
GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{GROUP}/validatingadmissionpolicies"
Check = Callable[[Case], str | None]


@pytest.fixture(scope="session")
def policed() -> Iterator[ApiServer]:
    """A real API server of its own, since a policy is the whole cluster's."""
    assert binaries.find() is not None, "run `make apiserver` first"
    with envtest(CRDS, lambda _: None) as server:
        for namespace in (*NAMESPACES, "not-served"):
            server.create_namespace(namespace)
        policy = admission.policy(admission.rules_expression(RULES))
        binding = admission.binding(NAMESPACES)
        server.request("POST", POLICIES, policy)
        server.request("POST", f"{GROUP}/validatingadmissionpolicybindings", binding)
        until(lambda: at_admission(server, Case("", "team-c")), "the policy is in force")
        yield server


def at_admission(server: ApiServer, case: Case) -> str | None:
    """What the API server says to the case; it makes nothing of it."""
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": f"bt-{uuid.uuid4()}"},
        "spec": {"job": case.job},
    }
    path = Tasks(server, case.namespace).path()
    try:
        server.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)
    except RequestRefusedError as error:
        return str(error)
    return None


@pytest.fixture(params=["python", "cel"])
def check(request: pytest.FixtureRequest) -> Check:
    if request.param == "python":
        return lambda case: refusal(RULES, case.namespace, case.job)
    server: ApiServer = request.getfixturevalue("policed")
    return lambda case: at_admission(server, case)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_both_checks_say_the_same(check: Check, case: Case) -> None:
    said = check(case)

    if case.refused is None:
        assert said is None
    else:
        assert said is not None
        assert case.refused in said


def test_the_namespaces_of_another_controller_are_left_alone(policed: ApiServer) -> None:
    assert at_admission(policed, Case("", "not-served", queue="anything")) is None


def test_a_list_that_shrank_keeps_no_task(policed: ApiServer) -> None:
    tasks = Tasks(policed, "team-a")
    path = f"{POLICIES}/{admission.NAME}"
    whole = policed.request("GET", path)
    body = a_task("bt-before", job={"jobQueue": "analytics", "jobDefinition": "worker"})
    tasks.create({**body, "metadata": {"name": "bt-before", "finalizers": [names.FINALIZER]}})
    rules = admission.rules_expression({"team-a": Allowed()})
    policed.request("PUT", path, _with_rules(whole, rules))
    until(lambda: at_admission(policed, Case("")), "the list has shrunk")

    try:
        tasks.patch("bt-before", {"spec": {"cancel": True}})
        tasks.patch("bt-before", {"status": {"phase": "Cancelled"}}, subresource="status")
        tasks.delete("bt-before")
        tasks.patch("bt-before", {"metadata": {"finalizers": []}})

        assert tasks.names("metadata.name%3Dbt-before") == []
    finally:
        _restore(policed)


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ({}, "jobQueue 'analytics' is not allowed in namespace team-a; allowed: none"),
        ({"team-a": {}}, "jobQueue 'analytics' is not allowed"),
        ({"team-a": {"jobQueues": ["analytics"]}}, "jobDefinition 'worker' is not allowed"),
    ],
    ids=["no namespace", "no list", "one list"],
)
def test_what_a_chart_leaves_out_is_allowed_to_nobody(
    policed: ApiServer, rules: dict[str, Any], refused: str
) -> None:
    path = f"{POLICIES}/{admission.NAME}"
    before = policed.request("GET", path)
    policed.request("PUT", path, _with_rules(before, json.dumps(rules)))

    try:
        until(lambda: refused in (at_admission(policed, Case("")) or ""), refused)
    finally:
        _restore(policed)


def _restore(server: ApiServer) -> None:
    path = f"{POLICIES}/{admission.NAME}"
    rules = admission.rules_expression(RULES)
    server.request("PUT", path, _with_rules(server.request("GET", path), rules))
    until(lambda: at_admission(server, Case("")) is None, "the lists are as they were")


def _with_rules(body: dict[str, Any], rules: str) -> dict[str, Any]:
    return {**body, "spec": admission.policy(rules)["spec"]}


def test_a_job_that_names_nothing_is_refused_by_both(check: Check) -> None:
    class Nothing(Case):
        @property
        def job(self) -> dict[str, Any]:
            return {"jobQueue": "analytics"}

    said = check(Nothing("no definition"))

    assert said is not None
    assert "jobDefinition" in said
