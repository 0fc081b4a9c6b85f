"""kubectl gets the same from the real API server and the emulator."""

import json
import subprocess
from typing import Any

import pytest

from integration.apiserver.clients import GROUP, Kubectl, Widgets, a_widget
from integration.apiserver.conftest import Eventually

pytestmark = pytest.mark.integration

WIDGET = f"widget.{GROUP}/one"


def printed(text: str) -> list[list[str]]:
    """Split a table into its cells; empty ones vanish."""
    return [line.split() for line in text.splitlines()]


@pytest.mark.parametrize("side", [[], ["--server-side"]], ids=["client side", "server side"])
def test_apply_creates_then_changes_then_says_unchanged(
    kubectl: Kubectl, widgets: Widgets, side: list[str]
) -> None:
    first = kubectl("apply", *side, "-f", "-", stdin=a_widget(size=1))
    second = kubectl("apply", *side, "-f", "-", stdin=a_widget(size=2))
    third = kubectl("apply", *side, "-f", "-", stdin=a_widget(size=2))

    if side:
        assert {first, second, third} == {f"{WIDGET} serverside-applied\n"}
    else:
        assert [first, second, third] == [
            f"{WIDGET} created\n",
            f"{WIDGET} configured\n",
            f"{WIDGET} unchanged\n",
        ]
    assert widgets.get().ok["spec"]["size"] == 2
    assert widgets.get().ok["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"sise": 1}, 'strict decoding error: unknown field "spec.sise"'),
        ({"size": "x"}, 'spec.size: Invalid value: "string"'),
        ({"color": None}, "spec.color: Required value"),
    ],
    ids=str,
)
def test_create_and_apply_print_what_is_wrong(
    kubectl: Kubectl, spec: dict[str, Any], words: str
) -> None:
    for command in ("create", "apply"):
        done = kubectl.run(command, "-f", "-", stdin=a_widget(**spec))

        assert done.returncode == 1
        assert words in done.stderr


def test_get_prints_the_definitions_columns(kubectl: Kubectl, widgets: Widgets) -> None:
    body = a_widget(size=2)
    body["metadata"]["labels"] = {"batchtask.dev/dag-id": "etl"}
    widgets.create(body).check()
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    widgets.patch({"status": status}, subresource="status").check()

    [names, cells] = printed(kubectl("get", "wd"))
    [wide_names, wide_cells] = printed(kubectl("get", "gadgets", "-o", "wide"))

    assert names == ["NAME", "COLOR", "READY", "DAG", "AGE"]
    assert cells[:4] == ["one", "red", "True", "etl"]
    assert cells[4].endswith("s")
    assert wide_names == ["NAME", "COLOR", "READY", "DAG", "SIZE", "AGE"]
    assert wide_cells[:5] == ["one", "red", "True", "etl", "2"]


def test_get_selects_and_prints_in_other_ways(kubectl: Kubectl, widgets: Widgets) -> None:
    for name, color in (("one", "red"), ("two", "blue")):
        body = a_widget(name, color=color)
        body["metadata"]["labels"] = {"kind": name}
        widgets.create(body).check()

    assert kubectl("get", "widgets", "-l", "kind=two", "-o", "name") == f"widget.{GROUP}/two\n"
    assert kubectl("get", "wd", "--field-selector=spec.color=red", "-o", "name") == f"{WIDGET}\n"
    assert kubectl("get", "wd", "--field-selector=metadata.name=two", "-o", "name") != ""
    assert kubectl("get", "wd", "one", "-o", "jsonpath={.spec.shape}") == "round"
    assert "kind=two" in kubectl("get", "wd", "--show-labels")
    assert widgets.namespace in kubectl("get", "wd", "-A")
    assert json.loads(kubectl("get", "wd", "-o", "json"))["kind"] == "List"
    assert kubectl("get", "wd", "-l", "kind=three") == ""
    refused = kubectl.run("get", "wd", "three")
    assert f'Error from server (NotFound): widgets.{GROUP} "three" not found' in refused.stderr


def test_describe_shows_the_object_and_its_events(kubectl: Kubectl, widgets: Widgets) -> None:
    made = widgets.create(a_widget(size=7)).ok
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "told"},
        "involvedObject": {
            "apiVersion": made["apiVersion"],
            "kind": made["kind"],
            "name": "one",
            "namespace": widgets.namespace,
            "uid": made["metadata"]["uid"],
        },
        "reason": "Painted",
        "message": "in red",
        "type": "Normal",
        "lastTimestamp": made["metadata"]["creationTimestamp"],
    }
    kubectl("create", "-f", "-", stdin=event)

    described = kubectl("describe", "wd", "one")

    assert "Size:   7" in described
    assert "Painted" in described
    assert "in red" in described


def test_patch_reaches_the_status_by_its_own_path(kubectl: Kubectl, widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    kubectl("patch", "wd", "one", "--type=merge", "-p", '{"spec":{"size":2}}')
    operations = '[{"op":"replace","path":"/spec/size","value":3}]'
    kubectl("patch", "wd", "one", "--type=json", "-p", operations)
    status = '{"status":{"phase":"Running"}}'
    kubectl("patch", "wd", "one", "--subresource=status", "--type=merge", "-p", status)
    kubectl("label", "wd", "one", "a=b")
    kubectl("annotate", "wd", "one", "c=d")

    found = widgets.get().ok
    assert found["spec"]["size"] == 3
    assert found["status"]["phase"] == "Running"
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["metadata"]["annotations"] == {"c": "d"}


def test_wait_sees_a_condition_a_field_and_a_deletion(kubectl: Kubectl, widgets: Widgets) -> None:
    widgets.create(a_widget()).check()
    waits = [
        subprocess.Popen(
            kubectl.command("wait", "wd/one", f"--for={what}", "--timeout=30s"),
            stdout=subprocess.PIPE,
            text=True,
        )
        for what in ("condition=Ready", "jsonpath={.status.phase}=Running", "delete")
    ]
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}

    widgets.patch({"status": status}, subresource="status").check()
    for wait in waits[:2]:
        told, _ = wait.communicate(timeout=40)
        assert (wait.returncode, told) == (0, f"{WIDGET} condition met\n")
    widgets.delete().check()
    told, _ = waits[2].communicate(timeout=40)

    assert waits[2].returncode == 0


def test_wait_gives_up_in_time(kubectl: Kubectl, widgets: Widgets) -> None:
    widgets.create(a_widget()).check()

    done = kubectl.run("wait", "wd/one", "--for=condition=Ready", "--timeout=1s")

    assert done.returncode == 1
    assert "timed out waiting for the condition" in done.stderr


def test_get_follows_changes(kubectl: Kubectl, widgets: Widgets) -> None:
    widgets.create(a_widget()).check()
    following = subprocess.Popen(
        kubectl.command("get", "wd", "-w"), stdout=subprocess.PIPE, text=True
    )
    assert following.stdout is not None
    try:
        first = [following.stdout.readline() for _ in range(2)]
        status = {"conditions": [{"type": "Ready", "status": "False"}]}
        widgets.patch({"status": status}, subresource="status").check()
        changed = following.stdout.readline()
    finally:
        following.kill()
        following.communicate()

    assert first[0].split() == ["NAME", "COLOR", "READY", "DAG", "AGE"]
    assert changed.split()[:3] == ["one", "red", "False"]


@pytest.mark.parametrize("policy", ["background", "foreground", "orphan"])
def test_delete_waits_until_the_object_is_gone(
    kubectl: Kubectl, widgets: Widgets, policy: str
) -> None:
    widgets.create(a_widget()).check()

    told = kubectl("delete", "wd", "one", f"--cascade={policy}", "--timeout=30s")

    assert told.startswith(f'widget.{GROUP} "one" deleted')
    assert widgets.get().status == 404


def test_delete_waits_for_a_finalizer(kubectl: Kubectl, widgets: Widgets) -> None:
    body = a_widget() | {"metadata": {"name": "one", "finalizers": ["tests.batchtask.dev/held"]}}
    widgets.create(body).check()

    done = kubectl.run("delete", "wd", "one", "--timeout=1s")
    widgets.patch({"metadata": {"finalizers": []}}).check()

    assert done.returncode == 1
    assert "timed out waiting for the condition" in done.stderr
    assert widgets.get().status == 404


def test_built_in_kinds_are_applied_too(kubectl: Kubectl) -> None:
    for content in ("old", "new"):
        for kind in ("Secret", "ConfigMap"):
            field = "stringData" if kind == "Secret" else "data"
            body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}
            kubectl("apply", "-f", "-", stdin=body | {field: {"a": content}})

    assert kubectl("get", "secret", "x", "-o", "jsonpath={.data.a}") == "bmV3"
    assert kubectl("get", "cm", "x", "-o", "jsonpath={.data.a}") == "new"
    assert printed(kubectl("get", "secret", "x"))[1][:3] == ["x", "Opaque", "1"]
    assert "a:  3 bytes" in kubectl("describe", "secret", "x")
    assert printed(kubectl("get", "namespaces"))[0] == ["NAME", "STATUS", "AGE"]


def test_explain_tells_what_the_schema_says(kubectl: Kubectl, eventually: Eventually) -> None:
    # A real server publishes a new kind's schema some seconds after the kind itself.
    eventually(lambda: kubectl.run("explain", "wd").returncode == 0)

    assert "What the widget should be." in kubectl("explain", "wd")
    field = kubectl("explain", "widgets.spec.color")
    assert "The color it is painted in." in field
    assert field.split("ENUM:")[1].split("DESCRIPTION")[0].split() == ["red", "green", "blue"]


def test_api_resources_lists_the_kind(kubectl: Kubectl) -> None:
    [_, cells] = printed(kubectl("api-resources", f"--api-group={GROUP}"))

    assert cells == ["widgets", "wd", f"{GROUP}/v1", "true", "Widget"]
    assert f"widgets.{GROUP}" in kubectl("get", "crds", "-o", "name")
    kubectl("wait", f"crd/widgets.{GROUP}", "--for=condition=Established", "--timeout=10s")
