"""Reads and writes to Kubernetes' API over one bounded pool of connections."""

import base64
import binascii
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import pydantic

from batchtask_api import BatchTask, OwnerReference, names
from batchtask_api.addresses import without_login
from batchtask_controller.tasks import (
    Conflict,
    Gone,
    Refused,
    TasksError,
    Unreachable,
    WorkloadSecret,
)

_MERGE = {"Content-Type": "application/merge-patch+json"}
_METADATA = {
    "Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
}
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API server is and how to log in to it. It holds a credential."""

    server: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | bool

    def __repr__(self) -> str:
        return f"Connection(server={self.address!r})"

    @property
    def address(self) -> str:
        """The server as it may be shown."""
        return without_login(self.server)


Login = Callable[[], Connection]
"""Reads the credentials anew: a service account's token changes every hour."""


class Api:
    """JSON requests to the API server, with fresh credentials after a 401."""

    def __init__(self, login: Login, *, connections: int, timeout_seconds: float = 10.0) -> None:
        self._login = login
        self._connection = login()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        )

    @property
    def address(self) -> str:
        """The API server in use, as it may be shown."""
        return self._connection.address

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send one request and return its JSON.

        Raises:
            Conflict, Gone, Refused, Unreachable: as the answer says.
        """
        status, answer = await self._send(method, path, body, query, headers)
        if status == 401:
            self._connection = self._login_again()
            status, answer = await self._send(method, path, body, query, headers)
        if status >= 400:
            raise _error(status, f"{method} {path}", answer)
        return answer

    def _login_again(self) -> Connection:
        try:
            return self._login()
        except OSError as error:
            raise Unreachable(f"Kubernetes' credentials can't be read: {error}") from None

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[int, dict[str, Any]]:
        connection = self._connection
        try:
            async with self._session.request(
                method,
                connection.server + path,
                params=query,
                data=None if body is None else json.dumps(body),
                headers={
                    "Content-Type": "application/json",
                    **connection.headers,
                    **(headers or {}),
                },
                ssl=connection.tls,
            ) as response:
                return response.status, await _json(response)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(
                f"the API server at {connection.address} does not answer: "
                f"{without_login(str(error)) or type(error).__name__}"
            ) from None


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    text = await response.text()
    try:
        answer = json.loads(text)
    except ValueError:
        return {"message": text[:200]}
    return answer if isinstance(answer, dict) else {}


def _error(status: int, request: str, answer: Mapping[str, Any]) -> TasksError:
    """The port's error for an answer; never with the request's body, which may hold a token."""
    text = f"{request}: {status} {answer.get('message', '')}"
    match status:
        case 404 | 410:
            return Gone(text)
        case 409:
            return Conflict(text)
        case 429 | 408:
            return Unreachable(text)
        case _ if status >= 500:
            return Unreachable(text)
        case _:
            return Refused(text)


class ClusterTasks:
    """The port `Tasks` on a real API server."""

    def __init__(self, api: Api, namespaces: Sequence[str]) -> None:
        self._api = api
        self._namespaces = namespaces

    async def list(self) -> Sequence[BatchTask]:
        """All tasks of the scope, from a quorum read."""
        return [task for namespace in self._namespaces async for task in self._list(namespace)]

    async def uids(self) -> Set[str]:
        """The uids of all objects of the scope."""
        return {
            str(item["metadata"]["uid"])
            for namespace in self._namespaces
            async for item in self._items(namespace, _METADATA)
        }

    async def _list(self, namespace: str) -> AsyncIterator[BatchTask]:
        async for item in self._items(namespace):
            if (task := parse(item)) is not None:
                yield task

    async def _items(
        self, namespace: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._api.request("GET", _path(namespace), query=query, headers=headers)
            for item in page["items"] or ():  # null, of a list of metadata without any
                yield item
            if not (token := page["metadata"].get("continue")):
                return
            query["continue"] = token

    async def get(self, task: BatchTask) -> BatchTask:
        """The task as it is now."""
        current = BatchTask.from_json(await self._api.request("GET", _path_of(task)))
        if current.metadata.uid != task.metadata.uid:
            raise Gone(f"{task} was deleted; another task has its name now")
        return current

    async def patch_status(self, task: BatchTask, changes: Mapping[str, Any]) -> BatchTask:
        """Change the status, if nobody else has changed the task."""
        path = f"{_path_of(task)}/status"
        return await self._patch(path, {"metadata": _read_as(task), "status": changes})

    async def set_finalizers(self, task: BatchTask, finalizers: Sequence[str]) -> BatchTask:
        """Replace the finalizers, if nobody else has changed the task."""
        metadata = {**_read_as(task), "finalizers": list(finalizers)}
        return await self._patch(_path_of(task), {"metadata": metadata})

    async def _patch(self, path: str, body: Mapping[str, Any]) -> BatchTask:
        answer = await self._api.request("PATCH", path, body=body, headers=_MERGE)
        return BatchTask.from_json(answer)

    async def delete(self, task: BatchTask) -> None:
        """Delete this very task."""
        body = {"preconditions": {"uid": task.metadata.uid}, "propagationPolicy": "Background"}
        await self._api.request("DELETE", _path_of(task), body=body)

    async def workload(self, task: BatchTask) -> WorkloadSecret | None:
        """The Secret that the task names."""
        if task.spec.workload is None:
            return None
        path = (
            f"/api/v1/namespaces/{task.metadata.namespace}/secrets/{task.spec.workload.secret_name}"
        )
        try:
            return _secret(await self._api.request("GET", path))
        except Gone:
            return None


def parse(item: Mapping[str, Any]) -> BatchTask | None:
    """The task, or None where the object is none of this version's."""
    try:
        return BatchTask.from_json(item)
    except pydantic.ValidationError:
        return None


async def require_watch(api: Api, namespaces: Sequence[str]) -> None:
    """See that the watch, which is kopf's, will not be refused: kopf would only try again.

    Raises:
        Refused: it would.
    """
    for namespace in namespaces:
        asked = {
            "verb": "watch",
            "group": names.GROUP,
            "resource": names.PLURAL,
            "namespace": namespace,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        review = await api.request("POST", _REVIEWS, body=body)
        if not review["status"]["allowed"]:
            raise Refused(f"this account may not watch {names.PLURAL} in {namespace}")


async def cluster_uid(api: Api) -> str:
    """What tells this cluster from every other: the uid of its kube-system namespace."""
    namespace = await api.request("GET", "/api/v1/namespaces/kube-system")
    return str(namespace["metadata"]["uid"])


def _path(namespace: str) -> str:
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"


def _path_of(task: BatchTask) -> str:
    return f"{_path(task.metadata.namespace)}/{task.metadata.name}"


def _read_as(task: BatchTask) -> dict[str, Any]:
    """What makes a patch a compare-and-swap, against a changed task and against a namesake."""
    return {"resourceVersion": task.metadata.resource_version, "uid": task.metadata.uid}


def _secret(body: Mapping[str, Any]) -> WorkloadSecret:
    metadata = body["metadata"]
    expires = metadata.get("annotations", {}).get(names.ANNOTATION_TOKEN_EXPIRES)
    return WorkloadSecret(
        type=body.get("type", ""),
        owners=tuple(map(OwnerReference.model_validate, metadata.get("ownerReferences", []))),
        content=_decoded(body.get("data", {}).get(names.WORKLOAD_SECRET_KEY)),
        expires=_time(expires),
    )


def _decoded(data: str | None) -> str | None:
    try:
        return None if data is None else base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return time if time is None or time.tzinfo else None


class ClusterLease:
    """The port `Leases` on a real API server."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def read(self) -> Mapping[str, Any] | None:
        """The Lease, None where there is none yet."""
        try:
            return await self._api.request("GET", f"{self._path}/{self._name}")
        except Gone:
            return None

    async def create(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the Lease."""
        return await self._api.request("POST", self._path, body=self._body({}, spec))

    async def replace(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change the Lease, if nobody else has."""
        version = {"resourceVersion": lease["metadata"]["resourceVersion"]}
        path = f"{self._path}/{self._name}"
        return await self._api.request("PUT", path, body=self._body(version, spec))

    def _body(self, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, **metadata},
            "spec": spec,
        }
