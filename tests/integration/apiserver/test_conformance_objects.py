"""Objects are created, changed and listed alike by the real API server and the emulator."""

import base64
from typing import Any

import pytest

from batchtask_local.apiserver import ApiServer
from integration.apiserver.clients import APPLY, GROUP, JSON_PATCH, MERGE, Http, Widgets, a_widget

pytestmark = pytest.mark.integration


def test_a_new_object_gets_what_only_the_server_knows(widgets: Widgets) -> None:
    made = widgets.create(a_widget() | {"status": {"phase": "Forged"}})

    assert made.status == 201
    assert widgets.get().ok == made.body
    metadata = made.body["metadata"]
    assert metadata["generation"] == 1
    assert metadata["namespace"] == widgets.namespace
    assert metadata["uid"]
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["creationTimestamp"].endswith("Z")
    assert made.body["spec"] == {"color": "red", "shape": "round"}
    assert made.body["status"] == {"phase": "Pending"}


def test_a_name_can_be_taken_once(widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    again = widgets.create(a_widget())

    assert again.refusal == (409, "AlreadyExists")
    assert again.message == f'widgets.{GROUP} "one" already exists'
    assert again.body["details"] == {"name": "one", "group": GROUP, "kind": "widgets"}


def test_a_generated_name_starts_as_told(widgets: Widgets) -> None:
    body = a_widget() | {"metadata": {"generateName": "made-"}}

    names = {widgets.create(body).ok["metadata"]["name"] for _ in range(3)}

    assert len(names) == 3
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


def test_what_is_not_there_is_not_found(widgets: Widgets) -> None:
    for reply in (widgets.get(), widgets.delete(), widgets.patch({})):
        assert reply.refusal == (404, "NotFound")
        assert reply.message == f'widgets.{GROUP} "one" not found'


def test_a_namespace_must_be_there(http: Http) -> None:
    reply = Widgets(http, "nowhere").create(a_widget())

    assert reply.refusal == (404, "NotFound")
    assert reply.message == 'namespaces "nowhere" not found'


@pytest.mark.parametrize(
    ("change", "refusal", "message"),
    [
        pytest.param(
            {"metadata": {"name": "one", "namespace": "other"}},
            (400, "BadRequest"),
            "the namespace of the provided object does not match",
            id="other namespace",
        ),
        pytest.param(
            {"apiVersion": f"{GROUP}/v2"},
            (400, "BadRequest"),
            f"the API version in the data ({GROUP}/v2) does not match the expected API version",
            id="other version",
        ),
        pytest.param(
            {"kind": "Gadget"}, (422, "Invalid"), 'kind: Invalid value: "Gadget"', id="other kind"
        ),
        pytest.param(
            {"metadata": {"name": "One_"}},
            (422, "Invalid"),
            'metadata.name: Invalid value: "One_": a lowercase RFC 1123 subdomain must consist of',
            id="bad name",
        ),
        pytest.param(
            {"metadata": {}},
            (422, "Invalid"),
            "metadata.name: Required value: name or generateName is required",
            id="no name",
        ),
        pytest.param(
            {"metadata": {"name": "one", "labels": {"run": "manual__2026-01-01T00:00:00+00:00"}}},
            (422, "Invalid"),
            'metadata.labels: Invalid value: "manual__2026-01-01T00:00:00+00:00": a valid label',
            id="a run id as a label",
        ),
        pytest.param(
            {"metadata": {"name": "one", "labels": {"x": "y" * 64}}},
            (422, "Invalid"),
            "metadata.labels: Invalid value",
            id="a long label",
        ),
        pytest.param(
            {"metadata": {"name": "one", "ownerReferences": [{"kind": "Widget"}]}},
            (422, "Invalid"),
            'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
            id="half an owner",
        ),
        pytest.param(
            {"metadata": {"name": "one", "resourceVersion": "1"}},
            (500, "None"),
            "resourceVersion should not be set on objects to be created",
            id="a resource version",
        ),
    ],
)
def test_an_object_that_cannot_be_is_refused(
    widgets: Widgets, change: dict[str, Any], refusal: tuple[int, str], message: str
) -> None:
    reply = widgets.create(a_widget() | change)

    assert reply.refusal == refusal
    assert message in reply.message


def test_a_body_of_an_unknown_type_is_refused(widgets: Widgets) -> None:
    reply = widgets.http.call("POST", widgets.path(), a_widget(), content_type="text/plain")

    assert reply.refusal == (415, "UnsupportedMediaType")


def test_a_dry_run_stores_nothing(widgets: Widgets) -> None:
    made = widgets.create(a_widget(), dryRun="All")

    assert made.status == 201
    assert made.body["status"] == {"phase": "Pending"}
    assert widgets.get().status == 404


def test_a_replacement_needs_the_version_it_is_based_on(widgets: Widgets) -> None:
    old = widgets.create(a_widget(size=1)).ok
    unbased = widgets.put(a_widget(size=2))
    assert unbased.causes == [
        (
            "metadata.resourceVersion",
            "FieldValueInvalid",
            "Invalid value: 0: must be specified for an update",
        )
    ]

    new = widgets.put(old | {"spec": {"color": "red", "size": 2}}).ok

    assert new["metadata"]["uid"] == old["metadata"]["uid"]
    assert new["metadata"]["creationTimestamp"] == old["metadata"]["creationTimestamp"]
    assert int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    assert new["spec"] == {"color": "red", "size": 2, "shape": "round"}


@pytest.mark.parametrize("subresource", ["", "status"])
def test_a_write_based_on_an_old_version_conflicts(widgets: Widgets, subresource: str) -> None:
    old = widgets.create(a_widget()).ok
    widgets.patch({"spec": {"size": 2}}).check()
    revision = old["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": revision}, "status": {"phase": "Late"}}
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": revision}
    operation = {"op": "add", "path": "/spec/size", "value": 3}

    replies = [widgets.put(old, "one", subresource), widgets.patch(patch, "one", subresource)]
    operated = widgets.patch([test, operation], "one", subresource, JSON_PATCH)

    for reply in replies:
        assert reply.refusal == (409, "Conflict")
        assert "the object has been modified; please apply your changes" in reply.message
    assert operated.refusal == (422, "Invalid")
    assert widgets.get().ok["spec"]["size"] == 2


def test_another_name_than_the_paths_is_refused(widgets: Widgets) -> None:
    old = widgets.create(a_widget()).ok
    body = old | {"metadata": old["metadata"] | {"name": "two"}}

    for reply in (widgets.put(body), widgets.patch({"metadata": {"name": "two"}})):
        assert reply.refusal == (400, "BadRequest")
        assert reply.message == (
            "the name of the object (two) does not match the name on the URL (one)"
        )


def test_a_uid_cannot_be_changed(widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    reply = widgets.patch({"metadata": {"uid": "other"}})

    assert reply.refusal == (422, "Invalid")
    assert 'metadata.uid: Invalid value: "other": field is immutable' in reply.message


def test_a_merge_patch_merges_maps_and_replaces_lists(widgets: Widgets) -> None:
    spec: dict[str, Any] = {
        "size": 2,
        "labels": {"a": "1", "b": "2"},
        "parts": [{"name": "x"}, {"name": "y"}],
    }
    widgets.create(a_widget(**spec)).check()

    patch = {"size": None, "labels": {"a": None, "c": "3"}, "parts": [{"name": "z"}]}
    patched = widgets.patch({"spec": patch}).ok

    assert patched["spec"] == {
        "color": "red",
        "shape": "round",
        "labels": {"b": "2", "c": "3"},
        "parts": [{"name": "z", "count": 1}],
    }


def test_a_json_patch_does_all_of_its_operations_or_none(widgets: Widgets) -> None:
    widgets.create(a_widget(size=2, parts=[{"name": "x"}, {"name": "y"}])).check()
    good = [
        {"op": "test", "path": "/spec/size", "value": 2},
        {"op": "replace", "path": "/spec/size", "value": 3},
        {"op": "add", "path": "/spec/parts/1", "value": {"name": "between"}},
        {"op": "add", "path": "/spec/parts/-", "value": {"name": "last"}},
        {"op": "remove", "path": "/spec/parts/0"},
        {"op": "add", "path": "/metadata/labels", "value": {}},
        {"op": "add", "path": "/metadata/labels/a.dev~1b", "value": "c"},
        {"op": "copy", "from": "/metadata/labels/a.dev~1b", "path": "/metadata/labels/d"},
        {"op": "move", "from": "/spec/size", "path": "/spec/weight"},
    ]
    bad = [
        [good[1], {"op": "remove", "path": "/spec/nothing"}],
        [good[1], {"op": "replace", "path": "/spec/nothing/x", "value": 1}],
        [good[1], {"op": "test", "path": "/spec/size", "value": 9}],
    ]

    refused = [widgets.patch(operations, kind=JSON_PATCH) for operations in bad]
    no_list = widgets.patch({"op": "add"}, kind=JSON_PATCH)
    untouched = widgets.get().ok["spec"]
    patched = widgets.patch(good[:3] + good[4:], kind=JSON_PATCH).ok

    assert [reply.refusal for reply in refused] == [(422, "Invalid")] * 3
    assert no_list.refusal == (400, "BadRequest")
    assert untouched["size"] == 2
    assert [part["name"] for part in patched["spec"]["parts"]] == ["between", "y"]
    assert patched["metadata"]["labels"] == {"a.dev/b": "c", "d": "c"}
    assert patched["spec"]["weight"] == 3
    assert "size" not in patched["spec"]


@pytest.mark.parametrize("kind", ["application/json", "application/strategic-merge-patch+json"])
def test_a_patch_of_an_unsupported_type_is_refused(widgets: Widgets, kind: str) -> None:
    widgets.create(a_widget()).check()

    assert widgets.patch({}, kind=kind).refusal == (415, "UnsupportedMediaType")


def test_an_apply_creates_then_merges(widgets: Widgets) -> None:
    first = widgets.patch(a_widget(size=1), kind=APPLY, fieldManager="tests")
    second = widgets.patch(a_widget(size=2), kind=APPLY, fieldManager="tests")
    nobody = widgets.patch(a_widget(size=3), kind=APPLY)

    assert (first.status, second.status) == (201, 200)
    assert second.body["spec"]["size"] == 2
    assert second.body["metadata"]["uid"] == first.body["metadata"]["uid"]
    assert nobody.refusal == (422, "Invalid")
    assert "fieldManager: Required value: is required for apply patch" in nobody.message


def test_only_a_new_intent_makes_a_new_generation(widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    labeled = widgets.patch({"metadata": {"labels": {"a": "b"}}}).ok
    reported = widgets.patch({"status": {"phase": "Running"}}, subresource="status").ok
    resized = widgets.patch({"spec": {"size": 3}}).ok

    generations = [made["metadata"]["generation"] for made in (labeled, reported, resized)]
    assert generations == [1, 1, 2]


def test_a_write_that_changes_nothing_makes_no_version(widgets: Widgets) -> None:
    widgets.create(a_widget(size=2)).check()
    # The first write of a real server after a creation stores the status's defaults.
    resized = widgets.patch({"spec": {"size": 3}}).ok

    again = widgets.patch({"spec": {"size": 3}}).ok

    assert again == resized


def test_the_status_is_written_through_its_own_path_only(widgets: Widgets) -> None:
    widgets.create(a_widget(size=2)).check()
    everything = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"size": 3},
        "status": {"phase": "Running"},
    }

    by_status = widgets.patch(everything, subresource="status").ok
    by_object = widgets.patch({"status": {"phase": "Forged"}, "spec": {"size": 4}}).ok
    replaced = widgets.put(by_object | {"status": {"phase": "Forged"}, "spec": {"color": "red"}}).ok
    put = widgets.put(replaced | {"status": {"jobId": "j"}}, subresource="status").ok

    assert by_status["status"] == {"phase": "Running"}
    assert by_status["spec"]["size"] == 2
    assert "labels" not in by_status["metadata"]
    assert by_object["status"] == {"phase": "Running"}
    assert by_object["spec"]["size"] == 4
    assert replaced["status"] == {"phase": "Running"}
    assert put["status"] == {"phase": "Pending", "jobId": "j"}
    assert widgets.http.call("GET", widgets.path("one", "status")).ok == put


def test_without_a_token_nobody_gets_in(http: Http, apiserver: ApiServer) -> None:
    for header in ("", "Bearer wrong"):
        reply = http.call("GET", "/api/v1/secrets", headers={"Authorization": header})
        assert reply.status in (401, 403)
    wrong = http.call("GET", "/api/v1/secrets", headers={"Authorization": "Bearer wrong"})
    assert wrong.refusal == (401, "Unauthorized")
    assert http.call("GET", "/readyz", headers={"Authorization": ""}).status == 200
    assert apiserver.admin_token not in repr(apiserver)


def test_a_secret_keeps_its_type_and_gets_its_data_encoded(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    data = base64.b64encode(b"old").decode()
    body = {"metadata": {"name": "s"}, "data": {"a": data}, "stringData": {"b": "new"}}

    made = http.call("POST", path, body | {"type": "batchtask.dev/workload"}).ok
    plain = http.call("POST", path, {"metadata": {"name": "plain"}}).ok
    changed = http.call("PATCH", f"{path}/s", {"type": "other"}, content_type=MERGE)
    rewritten = http.call("PUT", f"{path}/s", body | {"type": "batchtask.dev/workload"})
    bad = http.call("POST", path, {"metadata": {"name": "t"}, "data": {"a": "!!"}})
    mistyped = http.call("POST", path, {"metadata": {"name": "t"}, "data": {"a": 1}})
    unknown = http.call(
        "POST", path, {"metadata": {"name": "t"}, "datum": 1}, query={"fieldValidation": "Strict"}
    )

    assert made["data"] == {"a": data, "b": base64.b64encode(b"new").decode()}
    assert "stringData" not in made
    assert "generation" not in made["metadata"]
    assert plain["type"] == "Opaque"
    assert rewritten.status == 200
    assert changed.causes == [
        ("type", "FieldValueInvalid", 'Invalid value: "other": field is immutable')
    ]
    assert [bad.refusal, mistyped.refusal] == [(400, "BadRequest")] * 2
    assert unknown.message.endswith('strict decoding error: unknown field "datum"')


def test_a_lease_is_taken_by_one_of_two(http: Http, namespace: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader"},
        "spec": {"leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"},
    }
    made = http.call("POST", path, body).ok

    replies = [
        http.call("PUT", f"{path}/leader", made | {"spec": made["spec"] | {"holderIdentity": who}})
        for who in ("a", "b")
    ]

    assert replies[0].status == 200
    assert replies[1].refusal == (409, "Conflict")
    assert http.call("GET", f"{path}/leader").ok["spec"]["holderIdentity"] == "a"


def test_events_are_found_by_the_object_they_are_about(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    for name in ("one", "two"):
        about = {"kind": "Widget", "name": name, "namespace": namespace, "uid": f"uid-{name}"}
        body = {
            "metadata": {"generateName": "told-"},
            "involvedObject": about,
            "reason": "Told",
            "message": f"about {name}",
            "type": "Normal",
        }
        http.call("POST", path, body).check()

    found = http.call(
        "GET", path, query={"fieldSelector": "involvedObject.name=two,reason=Told"}
    ).ok

    assert [event["message"] for event in found["items"]] == ["about two"]


def test_a_namespace_is_born_with_what_it_needs(
    http: Http, namespace: str, apiserver: ApiServer
) -> None:
    found = http.call("GET", f"/api/v1/namespaces/{namespace}").ok

    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
    assert found["status"] == {"phase": "Active"}
    assert http.call("GET", "/api/v1/namespaces/kube-system").ok["metadata"]["uid"]
    apiserver.create_namespace(namespace)


def test_a_service_account_gets_in_with_its_token(
    http: Http, namespace: str, apiserver: ApiServer
) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    http.call("POST", accounts, {"metadata": {"name": "worker"}}).check()

    kubeconfig = apiserver.kubeconfig_for_service_account(namespace, "worker")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}},
    }
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    assert kubeconfig.stat().st_mode & 0o077 == 0
    token = kubeconfig.read_text().split("token: ")[1].split()[0]
    answer = http.call("POST", reviews, review, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 201
    assert http.call("POST", reviews, review).ok["status"]["allowed"] is True


def test_the_kinds_there_are_can_be_discovered(http: Http) -> None:
    kinds = http.call("GET", f"/apis/{GROUP}/v1").ok["resources"]
    groups = http.call("GET", "/apis").ok["groups"]

    assert [kind["name"] for kind in kinds] == ["widgets", "widgets/status"]
    assert kinds[0]["shortNames"] == ["wd"]
    assert kinds[0]["categories"] == ["gadgets"]
    assert set(kinds[0]["verbs"]) == {
        *("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
    }
    assert {GROUP, "apiextensions.k8s.io", "coordination.k8s.io"} <= {
        group["name"] for group in groups
    }
    assert http.call("GET", "/version").ok["minor"] == "36"
    assert http.call("GET", "/apis/nowhere/v1").status == 404
    assert http.call("GET", f"/apis/{GROUP}/v1/gadgets").status == 404


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        7,
        {"metadata": "text"},
        {"metadata": {"name": 7}},
        {"metadata": {"name": "one", "labels": []}},
        {"metadata": {"name": "one", "finalizers": "text"}},
        {"metadata": {"name": "one", "ownerReferences": ["text"]}},
        {"spec": "text"},
        {"spec": []},
        {"kind": 7},
        {"apiVersion": []},
    ],
    ids=str,
)
def test_nonsense_is_the_clients_fault(widgets: Widgets, body: object) -> None:
    whole = a_widget() | body if isinstance(body, dict) else body
    created = widgets.http.call("POST", widgets.path(), whole)
    widgets.create(a_widget()).check()
    patched = widgets.patch(body)

    assert 400 <= created.status < 500
    assert 400 <= patched.status < 500


@pytest.mark.parametrize("patch", [[7], ["text"], [{}], {}, "x"], ids=str)
def test_a_json_patch_of_nonsense_is_the_clients_fault(widgets: Widgets, patch: object) -> None:
    widgets.create(a_widget()).check()

    assert 400 <= widgets.patch(patch, kind=JSON_PATCH).status < 500
