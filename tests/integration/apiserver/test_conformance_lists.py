"""Lists are cut into pages and filtered alike by the real API server and the emulator."""

import pytest

from batchtask_local.apiserver import ApiServer
from integration.apiserver.clients import GROUP, Http, Widgets, a_widget

pytestmark = pytest.mark.integration


@pytest.fixture
def five(widgets: Widgets) -> Widgets:
    """Five widgets; the last two are running, and all but the first have a label."""
    for number in range(5):
        body = a_widget(f"w{number}", color="blue" if number == 2 else "red")
        if number:
            body["metadata"]["labels"] = {"n": str(number), "batchtask.dev/even": str(number % 2)}
        widgets.create(body).check()
    for name in ("w3", "w4"):
        widgets.patch({"status": {"phase": "Running"}}, name, "status").check()
    return widgets


def names(widgets: Widgets, **query: str) -> list[str]:
    return [item["metadata"]["name"] for item in widgets.list(**query).ok["items"]]


def test_a_list_is_in_order_and_has_a_version(five: Widgets) -> None:
    found = five.list().ok

    assert found["kind"] == "WidgetList"
    assert found["apiVersion"] == f"{GROUP}/v1"
    assert [item["metadata"]["name"] for item in found["items"]] == ["w0", "w1", "w2", "w3", "w4"]
    newest = max(int(item["metadata"]["resourceVersion"]) for item in found["items"])
    assert int(found["metadata"]["resourceVersion"]) >= newest


def test_pages_make_up_the_whole(five: Widgets) -> None:
    first = five.list(limit=2).ok
    token = first["metadata"]["continue"]
    five.create(a_widget("w9")).check()
    second = five.list(limit=2, **{"continue": token}).ok
    third = five.list(limit=2, **{"continue": second["metadata"]["continue"]}).ok

    pages = [[item["metadata"]["name"] for item in page["items"]] for page in (first, second)]
    assert pages == [["w0", "w1"], ["w2", "w3"]]
    assert third["items"][0]["metadata"]["name"] == "w4"
    assert first["metadata"]["remainingItemCount"] == 3
    versions = {page["metadata"]["resourceVersion"] for page in (first, second, third)}
    assert len(versions) == 1


def test_a_broken_continue_token_is_refused(five: Widgets) -> None:
    assert five.list(limit=2, **{"continue": "xx"}).refusal == (400, "BadRequest")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("n=1", ["w1"]),
        ("n==1", ["w1"]),
        ("n!=1", ["w0", "w2", "w3", "w4"]),
        ("n in (1, 2)", ["w1", "w2"]),
        ("n notin (1,2)", ["w0", "w3", "w4"]),
        ("n", ["w1", "w2", "w3", "w4"]),
        ("!n", ["w0"]),
        ("batchtask.dev/even=0,n in (2,3)", ["w2"]),
        ("nothing=here", []),
        ("", ["w0", "w1", "w2", "w3", "w4"]),
    ],
)
def test_labels_select(five: Widgets, selector: str, expected: list[str]) -> None:
    assert names(five, labelSelector=selector) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=w1", ["w1"]),
        ("metadata.name!=w1", ["w0", "w2", "w3", "w4"]),
        ("spec.color=blue", ["w2"]),
        ("status.phase=Running", ["w3", "w4"]),
        ("status.phase=Running,metadata.name!=w3", ["w4"]),
        ("spec.color!=red,status.phase=Pending", ["w2"]),
    ],
)
def test_fields_select(five: Widgets, selector: str, expected: list[str]) -> None:
    assert names(five, fieldSelector=selector) == expected


def test_both_selectors_hold_at_once(five: Widgets) -> None:
    assert names(five, fieldSelector="status.phase=Running", labelSelector="n=4") == ["w4"]


@pytest.mark.parametrize(
    "query",
    [
        {"fieldSelector": "spec.size=1"},
        {"fieldSelector": "nonsense"},
        {"labelSelector": "a==="},
        {"labelSelector": "a in 1,2"},
        {"limit": "many"},
    ],
    ids=str,
)
def test_a_query_that_makes_no_sense_is_refused(five: Widgets, query: dict[str, str]) -> None:
    assert five.list(**query).refusal == (400, "BadRequest")


def test_a_field_that_is_not_selectable_is_named(five: Widgets) -> None:
    refused = five.list(fieldSelector="spec.size=1")

    assert refused.message == "field label not supported: spec.size"


def test_a_list_over_all_namespaces_has_them_all(
    five: Widgets, http: Http, apiserver: ApiServer
) -> None:
    other = Widgets(http, f"{five.namespace}-other")
    apiserver.create_namespace(other.namespace)
    other.create(a_widget("elsewhere")).check()

    everywhere = http.call("GET", f"/apis/{GROUP}/v1/widgets").ok["items"]
    here = http.call(
        "GET",
        f"/apis/{GROUP}/v1/widgets",
        query={"fieldSelector": f"metadata.namespace={five.namespace}"},
    ).ok["items"]

    assert {five.namespace, other.namespace} <= {
        item["metadata"]["namespace"] for item in everywhere
    }
    assert len(here) == 5


def test_a_collection_is_deleted_as_selected(five: Widgets) -> None:
    reply = five.http.call("DELETE", five.path(), query={"labelSelector": "batchtask.dev/even=0"})

    assert [item["metadata"]["name"] for item in reply.ok["items"]] == ["w2", "w4"]
    assert names(five) == ["w0", "w1", "w3"]


def test_a_table_has_the_columns_of_the_definition(five: Widgets) -> None:
    as_table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    condition = {"type": "Ready", "status": "True"}
    patch = {"status": {"phase": "Running", "conditions": [condition]}}
    five.patch(patch, "w1", "status").check()

    found = five.http.call("GET", five.path(), headers={"Accept": as_table}).ok
    one = five.http.call("GET", five.path("w1"), headers={"Accept": as_table}).ok

    columns = [
        (column["name"], column["type"], column["priority"])
        for column in found["columnDefinitions"]
    ]
    assert columns == [
        ("Name", "string", 0),
        ("Color", "string", 0),
        ("Ready", "string", 0),
        ("Dag", "string", 0),
        ("Size", "integer", 1),
        ("Age", "date", 0),
    ]
    assert [row["cells"][:3] for row in found["rows"]][:3] == [
        ["w0", "red", None],
        ["w1", "red", "True"],
        ["w2", "blue", None],
    ]
    assert one["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert one["rows"][0]["object"]["metadata"]["name"] == "w1"
