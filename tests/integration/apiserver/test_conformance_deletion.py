"""Objects, and what hangs on them, go alike on the real API server and the emulator."""

from typing import Any

import pytest

from batchtask_local.apiserver import ApiServer
from integration.apiserver.clients import GROUP, Http, Widgets, a_widget
from integration.apiserver.conftest import Eventually

pytestmark = pytest.mark.integration

FINALIZER = "tests.batchtask.dev/held"


def held(name: str = "one") -> dict[str, Any]:
    return a_widget(name) | {"metadata": {"name": name, "finalizers": [FINALIZER]}}


def owned(name: str, owner: dict[str, Any]) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


class Secrets:
    """The secrets of the test's namespace."""

    def __init__(self, http: Http, namespace: str) -> None:
        self._http = http
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._http.call("POST", self._path, body).ok

    def has(self, name: str) -> bool:
        return self._http.call("GET", f"{self._path}/{name}").status == 200

    def get(self, name: str) -> dict[str, Any]:
        return self._http.call("GET", f"{self._path}/{name}").ok


@pytest.fixture
def secrets(http: Http, namespace: str) -> Secrets:
    return Secrets(http, namespace)


def let_the_collector_catch_up(widgets: Widgets, secrets: Secrets, eventually: Eventually) -> None:
    """See it collect what was made last: what its own watches haven't shown it yet isn't there."""
    secrets.create(owned("canary", widgets.create(a_widget("canary")).ok))
    widgets.delete("canary").check()
    eventually(lambda: not secrets.has("canary"))


def test_what_nothing_holds_is_gone_at_once(widgets: Widgets) -> None:
    made = widgets.create(a_widget()).ok

    reply = widgets.delete()

    assert reply.ok["status"] == "Success"
    assert reply.body["details"] == {
        "name": "one",
        "group": GROUP,
        "kind": "widgets",
        "uid": made["metadata"]["uid"],
    }
    assert widgets.get().status == 404


def test_a_finalizer_holds_an_object_until_it_is_removed(widgets: Widgets) -> None:
    widgets.create(held()).check()

    marked, again = widgets.delete().ok, widgets.delete().ok
    added = widgets.patch({"metadata": {"finalizers": [FINALIZER, "tests.batchtask.dev/more"]}})
    reported = widgets.patch({"status": {"phase": "Ending"}}, subresource="status").ok
    released = widgets.patch({"metadata": {"finalizers": None}})

    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert marked["metadata"]["generation"] == 2
    assert again["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    assert added.refusal == (422, "Invalid")
    assert "metadata.finalizers: Forbidden: no new finalizers can be added" in added.message
    assert reported["status"]["phase"] == "Ending"
    assert released.status == 200
    assert widgets.get().status == 404


@pytest.mark.parametrize(
    ("precondition", "message"),
    [
        ({"uid": "another"}, "the UID in the precondition (another) does not match the UID in"),
        ({"resourceVersion": "1"}, "the ResourceVersion in the precondition (1) does not match"),
    ],
)
def test_a_precondition_must_hold(
    widgets: Widgets, precondition: dict[str, str], message: str
) -> None:
    widgets.create(a_widget()).check()

    reply = widgets.delete(options={"preconditions": precondition})

    assert reply.refusal == (409, "Conflict")
    assert message in reply.message
    assert widgets.get().status == 200


def test_a_dry_deletion_deletes_nothing(widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    assert widgets.delete(dryRun="All").status == 200
    assert widgets.get().status == 200


def test_what_is_owned_goes_after_its_owner(
    widgets: Widgets, secrets: Secrets, eventually: Eventually
) -> None:
    owner, other = widgets.create(a_widget()).ok, widgets.create(a_widget("two")).ok
    secrets.create(owned("mine", owner))
    both = owned("shared", owner)
    both["metadata"]["ownerReferences"] += owned("", other)["metadata"]["ownerReferences"]
    secrets.create(both)

    widgets.delete().check()

    eventually(lambda: not secrets.has("mine"))
    assert secrets.has("shared")
    widgets.delete("two").check()
    eventually(lambda: not secrets.has("shared"))


def test_what_is_owned_by_nobody_there_goes_too(
    widgets: Widgets, secrets: Secrets, eventually: Eventually
) -> None:
    owner = widgets.create(a_widget()).ok
    owner["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"

    secrets.create(owned("stray", owner))

    eventually(lambda: not secrets.has("stray"))


def test_an_orphan_stays_without_its_owner(
    widgets: Widgets, secrets: Secrets, eventually: Eventually
) -> None:
    secrets.create(owned("mine", widgets.create(a_widget()).ok))
    let_the_collector_catch_up(widgets, secrets, eventually)

    widgets.delete(propagationPolicy="Orphan").check()

    eventually(lambda: widgets.get().status == 404)
    assert "ownerReferences" not in secrets.get("mine")["metadata"]


def test_in_the_foreground_the_owner_goes_last(
    widgets: Widgets, secrets: Secrets, eventually: Eventually
) -> None:
    owner = widgets.create(a_widget()).ok
    child = owned("child", owner)["metadata"] | {"finalizers": [FINALIZER]}
    child["ownerReferences"][0]["blockOwnerDeletion"] = True
    widgets.create(a_widget("child") | {"metadata": child}).check()
    let_the_collector_catch_up(widgets, secrets, eventually)

    marked = widgets.delete(options={"propagationPolicy": "Foreground"}).ok

    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    eventually(lambda: "deletionTimestamp" in widgets.get("child").ok["metadata"])
    assert widgets.get().status == 200
    widgets.patch({"metadata": {"finalizers": None}}, "child").check()
    eventually(lambda: widgets.get().status == 404)


def test_a_namespace_waits_for_what_is_in_it(
    widgets: Widgets, secrets: Secrets, http: Http, eventually: Eventually
) -> None:
    path = f"/api/v1/namespaces/{widgets.namespace}"
    widgets.create(held()).check()
    secrets.create({"metadata": {"name": "s"}})

    marked = http.call("DELETE", path).ok
    refused = widgets.create(a_widget("late"))
    eventually(lambda: "deletionTimestamp" in widgets.get().ok["metadata"])

    assert marked["status"]["phase"] == "Terminating"
    assert refused.refusal == (403, "Forbidden")
    assert "because it is being terminated" in refused.message
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    eventually(lambda: not secrets.has("s"))
    assert http.call("GET", path).status == 200
    widgets.patch({"metadata": {"finalizers": []}}).check()
    eventually(lambda: http.call("GET", path).status == 404)


def test_a_kind_comes_and_goes_with_its_definition(
    http: Http, namespace: str, apiserver: ApiServer, eventually: Eventually
) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    group, plural = f"{namespace}.batchtask.dev", "trinkets"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": plural, "kind": "Trinket"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    path = f"/apis/{group}/v1/namespaces/{namespace}/{plural}"

    http.call("POST", definitions, body).check()
    eventually(lambda: http.call("GET", path).status == 200)
    trinket = {"apiVersion": f"{group}/v1", "kind": "Trinket", "metadata": {"name": "t"}, "a": 1}
    eventually(lambda: http.call("POST", path, trinket).status == 201)
    assert http.call("GET", f"{path}/t").ok["a"] == 1
    kinds = http.call("GET", f"/apis/{group}/v1").ok["resources"]
    assert [(kind["name"], kind["singularName"]) for kind in kinds] == [(plural, "trinket")]
    http.call("DELETE", f"{definitions}/{plural}.{group}").check()
    eventually(lambda: http.call("GET", f"{definitions}/{plural}.{group}").status == 404)
    eventually(lambda: http.call("GET", path).status == 404)


def test_a_definition_that_is_wrong_is_refused(http: Http) -> None:
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "wrong.batchtask.dev"},
        "spec": {"group": "batchtask.dev", "names": {"plural": "things", "kind": "Thing"}},
    }

    reply = http.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)

    assert reply.refusal == (422, "Invalid")
    assert "spec.scope" in reply.message
    assert "spec.versions" in reply.message
