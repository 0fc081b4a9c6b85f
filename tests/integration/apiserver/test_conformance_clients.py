"""The official Python client and kopf work alike on the real API server and the emulator."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

import kopf
import pytest
from kubernetes import client, dynamic

from batchtask_local.apiserver import ApiServer
from integration.apiserver.clients import GROUP, a_widget, changes, client_of

pytestmark = pytest.mark.integration

HANDLED_SECONDS = 20


@pytest.fixture
def api(apiserver: ApiServer) -> Iterator[client.ApiClient]:
    with client_of(apiserver.kubeconfig) as found:
        yield found


@pytest.fixture
def objects(api: client.ApiClient) -> Any:
    return client.CustomObjectsApi(api)


def test_custom_objects_are_created_changed_and_deleted(objects: Any, namespace: str) -> None:
    place = (GROUP, "v1", namespace, "widgets")

    made = objects.create_namespaced_custom_object(*place, a_widget(), field_validation="Strict")
    objects.patch_namespaced_custom_object(*place, "one", {"spec": {"size": 2}})
    objects.patch_namespaced_custom_object_status(*place, "one", {"status": {"phase": "Running"}})
    with pytest.raises(client.ApiException) as conflict:
        objects.replace_namespaced_custom_object(*place, "one", made)
    found = objects.list_namespaced_custom_object(*place, field_selector="status.phase=Running")
    objects.delete_namespaced_custom_object(*place, "one")

    assert conflict.value.status == 409
    assert [item["spec"]["size"] for item in found["items"]] == [2]
    with pytest.raises(client.ApiException, match="Not Found"):
        objects.get_namespaced_custom_object(*place, "one")


def test_a_refusal_carries_the_servers_words(objects: Any, namespace: str) -> None:
    with pytest.raises(client.ApiException) as refused:
        objects.create_namespaced_custom_object(
            GROUP, "v1", namespace, "widgets", a_widget(sise=1), field_validation="Strict"
        )

    assert refused.value.status == 400
    assert r"unknown field \"spec.sise\"" in str(refused.value.body)


def test_the_clients_watch_sees_changes(objects: Any, namespace: str) -> None:
    place = (GROUP, "v1", namespace, "widgets")
    start = objects.list_namespaced_custom_object(*place)["metadata"]["resourceVersion"]
    objects.create_namespaced_custom_object(*place, a_widget())
    objects.delete_namespaced_custom_object(*place, "one")

    seen = list(islice(changes(objects, place, start), 2))

    assert [event["type"] for event in seen] == ["ADDED", "DELETED"]


def test_typed_kinds_come_back_as_they_went(api: client.ApiClient, namespace: str) -> None:
    core: Any = client.CoreV1Api(api)
    leases: Any = client.CoordinationV1Api(api)
    metadata = client.V1ObjectMeta(name="x")

    core.create_namespaced_secret(
        namespace, client.V1Secret(metadata=metadata, string_data={"a": "b"}, type="x.dev/y")
    )
    core.patch_namespaced_secret("x", namespace, {"stringData": {"a": "c"}})
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=metadata))
    core.create_namespaced_event(
        namespace,
        client.CoreV1Event(
            metadata=metadata,
            involved_object=client.V1ObjectReference(namespace=namespace, name="x"),
            message="told",
        ),
    )
    spec = client.V1LeaseSpec(holder_identity="me", lease_duration_seconds=15)
    leases.create_namespaced_lease(namespace, client.V1Lease(metadata=metadata, spec=spec))

    assert core.read_namespaced_secret("x", namespace).data == {"a": "Yw=="}
    assert core.list_namespaced_event(namespace).items[0].message == "told"
    assert leases.read_namespaced_lease("x", namespace).spec.holder_identity == "me"
    assert core.read_namespace("kube-system").metadata.uid
    core.delete_namespaced_config_map("x", namespace)
    assert core.list_namespaced_config_map(namespace, field_selector="metadata.name=x").items == []


def test_the_dynamic_client_finds_the_kind(
    api: client.ApiClient, namespace: str, apiserver: ApiServer
) -> None:
    cache = str(apiserver.directory / "dynamic.json")
    found = dynamic.DynamicClient(api, cache_file=cache)  # type: ignore[no-untyped-call]
    widgets = found.resources.get(api_version=f"{GROUP}/v1", kind="Widget")

    made = widgets.create(body=a_widget(), namespace=namespace)
    widgets.status.patch(
        body={"status": {"phase": "Running"}},
        name="one",
        namespace=namespace,
        content_type="application/merge-patch+json",
    )

    assert made.metadata.generation == 1
    assert widgets.get(name="one", namespace=namespace).status.phase == "Running"


async def test_kopf_follows_objects_and_writes_their_status(
    apiserver: ApiServer, namespace: str, objects: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (GROUP, "v1", namespace, "widgets")
    objects.create_namespaced_custom_object(*place, a_widget("early"))
    seen: asyncio.Queue[tuple[str | None, str, str]] = asyncio.Queue()
    monkeypatch.setenv("KUBECONFIG", str(apiserver.kubeconfig))

    async with Operator(namespace, seen):
        first = await asyncio.wait_for(seen.get(), HANDLED_SECONDS)
        await asyncio.to_thread(
            lambda: objects.create_namespaced_custom_object(*place, a_widget("late"))
        )
        events = [await asyncio.wait_for(seen.get(), HANDLED_SECONDS) for _ in range(3)]
        await asyncio.to_thread(lambda: objects.delete_namespaced_custom_object(*place, "late"))
        while (last := await asyncio.wait_for(seen.get(), HANDLED_SECONDS))[0] != "DELETED":
            continue

    assert first == (None, "early", "Pending")
    assert ("ADDED", "late", "Pending") in events
    assert last == ("DELETED", "late", "Seen")
    assert objects.get_namespaced_custom_object(*place, "early")["status"]["phase"] == "Seen"


class Operator:
    """A kopf operator in this event loop; it says what it sees and writes a phase."""

    def __init__(
        self,
        namespace: str,
        seen: asyncio.Queue[tuple[str | None, str, str]],
    ) -> None:
        self._namespace = namespace
        self._registry = kopf.OperatorRegistry()
        self._stop = asyncio.Event()

        @kopf.on.login(registry=self._registry)
        def log_in(**known: Any) -> kopf.ConnectionInfo | None:
            return kopf.login_with_kubeconfig(**known)

        @kopf.on.event(f"{GROUP}", "v1", "widgets", registry=self._registry)
        async def follow(
            type: str | None,  # noqa: A002
            name: str,
            status: kopf.Status,
            patch: kopf.Patch,
            **_: Any,
        ) -> None:
            seen.put_nowait((type, name, str(status.get("phase"))))
            if type != "DELETED":
                patch.status["phase"] = "Seen"

    async def __aenter__(self) -> None:
        settings = kopf.OperatorSettings()
        settings.scanning.disabled = True
        settings.process.ultimate_exiting_timeout = None
        self._task = asyncio.create_task(
            kopf.operator(
                registry=self._registry,
                settings=settings,
                namespaces=[self._namespace],
                standalone=True,
                stop_flag=self._stop,
            )
        )

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.wait_for(self._task, HANDLED_SECONDS)
