"""BatchTasks in Kubernetes: raw JSON over the official client's connections and credentials."""

import contextlib
import json
import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import kubernetes.client.rest
import kubernetes.config
import urllib3
from pydantic import ValidationError

from batchtask_api import AirflowIdentity, BatchTask, names
from batchtask_executor.config import SECTION, Settings
from batchtask_executor.kube_errors import refusal
from batchtask_executor.manifest import WorkloadSecret, is_same_try, labels
from batchtask_executor.stream import lines
from batchtask_executor.tasks import (
    BatchTasks,
    Bookmark,
    Conflict,
    Deleted,
    Event,
    Gone,
    Listing,
    Refused,
    Seen,
    TasksError,
    Unavailable,
)

log = logging.getLogger(__name__)

_LARGEST_BYTES: Final = 1024 * 1024
"""Of an object: etcd takes 1.5 MiB by default, and the status needs room in it."""
_PAGE: Final = 500
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=30)
_SILENCE_SECONDS: Final = 100.0
"""The API server sends a bookmark about every 60 s. After more silence the connection is dead, or
the store was set back to before where the watch began: then the server waits, and says nothing."""
_WATCH_SECONDS: Final = (240, 300)
_REFRESH_SECONDS: Final = 10.0
_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
_STRICT: Final = {"fieldValidation": "Strict", "fieldManager": "batchtask-executor"}
"""Without Strict the API server drops fields that it doesn't know, in silence."""


class KubeBatchTasks:
    """The tasks of one instance in one namespace.

    The connection is made at the first request, so that nothing here stops a scheduler from
    starting, and again when the credentials are refused.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        connections: int = 16,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._watch_timeout = urllib3.Timeout(connect=5, read=silence_seconds)
        self._tasks = f"/apis/{names.API_VERSION}/namespaces/{settings.namespace}/{names.PLURAL}"
        self._secrets = f"/api/v1/namespaces/{settings.namespace}/secrets"
        self._selector = f"{names.LABEL_INSTANCE}={settings.instance}"
        self._lock = threading.Lock()
        self._connected: _Connection | None = None
        self._watches: set[urllib3.BaseHTTPResponse] = set()
        self._is_closed = False

    def create(self, task: BatchTask) -> BatchTask:
        """Create the task; see the port."""
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, **task.to_json()}
        body.pop("status", None)
        doing = f"create BatchTask {task}"
        return _read(self._json("POST", self._tasks, doing, body, _STRICT), doing)

    def put_workload(self, secret: WorkloadSecret) -> None:
        """Create the Secret, or patch it where it is; see the port."""
        body = secret.to_json()
        doing = f"write the Secret {secret.namespace}/{secret.name}"
        response = self._request("POST", self._secrets, doing, body, _STRICT)
        if response.status != 409:
            _check(response, doing)
            return
        metadata = {key: body["metadata"][key] for key in ("annotations", "ownerReferences")}
        patch = {"metadata": metadata, "data": body["data"]}
        response = self._request("PATCH", f"{self._secrets}/{secret.name}", doing, patch, _STRICT)
        if response.status == 404:
            raise Conflict(f"can't {doing}: it was there, and is gone")
        _check(response, doing)

    def get(self, name: str) -> BatchTask | None:
        """Read one task; see the port."""
        doing = f"read BatchTask {self._settings.namespace}/{name}"
        response = self._request("GET", f"{self._tasks}/{name}", doing)
        return None if response.status == 404 else _read(_check(response, doing), doing)

    def list(self) -> Listing:
        """Read all tasks, page by page; see the port."""
        doing = f"list BatchTasks in {self._settings.namespace}"
        tasks: list[BatchTask] = []
        found: set[str] = set()
        query = {"labelSelector": self._selector, "limit": str(_PAGE)}
        while True:
            page = self._json("GET", self._tasks, doing, None, query)
            for item in page["items"]:
                found.add(item["metadata"]["name"])
                if task := _readable(item):
                    tasks.append(task)
            if not (more := page["metadata"].get("continue")):
                return Listing(tasks, frozenset(found), page["metadata"]["resourceVersion"])
            query = {**query, "continue": more}

    def find(self, airflow: AirflowIdentity) -> Sequence[BatchTask]:
        """Look one try's tasks up by their labels; see the port."""
        doing = f"find the BatchTasks of {airflow.dag_id}.{airflow.task_id}"
        wanted = [f"{name}={value}" for name, value in labels(airflow).items()]
        query = {
            "labelSelector": ",".join([self._selector, *wanted]),
            "resourceVersion": "0",  # from the API server's memory: etcd would read all tasks
        }
        page = self._json("GET", self._tasks, doing, None, query)
        tasks = [task for item in page["items"] if (task := _readable(item))]
        return sorted(
            (task for task in tasks if is_same_try(task.spec.airflow, airflow)),
            key=lambda task: (task.metadata.creation_timestamp or _NEVER, task.metadata.name),
        )

    def watch(self, since: str) -> Iterator[Event]:
        """Follow what happens; see the port."""
        doing = f"watch BatchTasks in {self._settings.namespace}"
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "labelSelector": self._selector,
            "resourceVersion": since,
            "timeoutSeconds": str(random.randint(*_WATCH_SECONDS)),  # noqa: S311 - spreads load
        }
        response = self._request("GET", self._tasks, doing, query=query, is_stream=True)
        if response.status != 200:
            _check(response, doing)
        try:
            with self._open_watch(response):
                yield Bookmark(since)
                for line in lines(response.stream(65536)):
                    yield _event(json.loads(line), doing)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise Gone(f"can't {doing}: nothing came, not even a bookmark") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if not self._is_closed:
                raise Unavailable(f"can't {doing}: {error}") from error

    def cancel(self, name: str) -> None:
        """Set spec.cancel; see the port."""
        doing = f"cancel BatchTask {self._settings.namespace}/{name}"
        patch = {"spec": {"cancel": True}}
        response = self._request("PATCH", f"{self._tasks}/{name}", doing, patch, _STRICT)
        if response.status != 404:
            _check(response, doing)

    def close(self) -> None:
        """End the watches; see the port."""
        with self._lock:
            self._is_closed = True
            for response in self._watches:
                with contextlib.suppress(OSError, ValueError, RuntimeError):
                    response.shutdown()

    @contextlib.contextmanager
    def _open_watch(self, response: urllib3.BaseHTTPResponse) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                response.close()
            self._watches.add(response)
        try:
            yield
        finally:
            with self._lock:
                self._watches.discard(response)
            response.close()

    def _json(
        self,
        method: str,
        path: str,
        doing: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str],
    ) -> Mapping[str, Any]:
        return _check(self._request(method, path, doing, body, query), doing)

    def _request(
        self,
        method: str,
        path: str,
        doing: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        is_stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request, once; whether again is for the caller to say."""
        connection = self._connection(doing)
        content = None if body is None else json.dumps(body).encode()
        if content and len(content) > _LARGEST_BYTES:
            raise Refused(
                f"can't {doing}: it has {len(content):,} bytes, and Kubernetes takes about "
                f"{_LARGEST_BYTES:,}; shorten executor_config"
            )
        try:
            response = connection.pool.request(
                method,
                f"{connection.host}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=content,
                headers={
                    "Content-Type": _MERGE_PATCH if method == "PATCH" else _JSON,
                    **connection.authorization(),
                },
                timeout=self._watch_timeout if is_stream else _TIMEOUT,
                retries=False,
                preload_content=not is_stream,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(
                f"can't {doing}: no answer from {connection.host} ({error}); see [{SECTION}] "
                "in_cluster, config_file and cluster_context"
            ) from error
        if response.status == 401:
            self._connected = None
        return response

    def _connection(self, doing: str) -> "_Connection":
        if self._is_closed:
            raise Unavailable(f"can't {doing}: the executor is stopping")
        with self._lock:
            if self._connected is None:
                self._connected = _Connection(self._settings, self._connections, doing)
            return self._connected


class _Connection:
    """The official client's pool and credentials; it refreshes them where they expire."""

    def __init__(self, settings: Settings, connections: int, doing: str) -> None:
        self._configuration = kubernetes.client.Configuration()
        self._configuration.connection_pool_maxsize = connections
        try:
            if settings.in_cluster:
                kubernetes.config.load_incluster_config(  # type: ignore[no-untyped-call]
                    client_configuration=self._configuration
                )
            else:
                kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=settings.config_file,
                    context=settings.cluster_context,
                    client_configuration=self._configuration,
                    persist_config=False,
                )
            rest = kubernetes.client.rest.RESTClientObject(self._configuration)
        except Exception as error:  # a kubeconfig can be wrong in any way
            raise Unavailable(f"can't {doing}: {_unusable(settings, error)}") from error
        self.pool: urllib3.PoolManager = rest.pool_manager
        self._authorization: tuple[float, Mapping[str, str]] = (0.0, {})
        self.host = str(self._configuration.host).rstrip("/")

    def authorization(self) -> Mapping[str, str]:
        """The headers that say who asks; the client refreshes what they hold, which takes time."""
        until, headers = self._authorization
        if time.monotonic() < until:
            return headers
        settings: Mapping[str, Any] = self._configuration.auth_settings()
        headers = {each["key"]: each["value"] for each in settings.values() if each["value"]}
        self._authorization = time.monotonic() + _REFRESH_SECONDS, headers
        return headers


def _unusable(settings: Settings, error: Exception) -> str:
    if settings.in_cluster:
        return (
            f"[{SECTION}] in_cluster is true, and this is no pod with a service account ({error}); "
            "outside a cluster set it to false, and config_file"
        )
    return (
        f"[{SECTION}] config_file {settings.config_file or '(the default one)'}, cluster_context "
        f"{settings.cluster_context or '(the current one)'} can't be used: {error}"
    )


def _check(response: urllib3.BaseHTTPResponse, doing: str) -> Mapping[str, Any]:
    """The reply's object.

    Raises:
        TasksError: the API server refused, or sent something else than JSON.
    """
    if not 200 <= response.status < 300:
        raise refusal(response.status, response.data, response.headers, doing)
    try:
        found: Mapping[str, Any] = json.loads(response.data)
    except ValueError as error:
        raise Unavailable(f"can't {doing}: the reply is no JSON") from error
    return found


def _event(event: Mapping[str, Any], doing: str) -> Event:
    found = event["object"]
    if event["type"] == "ERROR":
        raise _stream_error(found, doing)
    version = found["metadata"]["resourceVersion"]
    if event["type"] == "BOOKMARK" or (task := _readable(found)) is None:
        return Bookmark(version)
    return Deleted(task, version) if event["type"] == "DELETED" else Seen(task, version)


def _stream_error(status: Mapping[str, Any], doing: str) -> TasksError:
    code = status.get("code", 500)
    if code == 504:  # a resource version that the server hasn't come to, or never will
        return Gone(f"can't {doing}: {status.get('message')}")
    return refusal(code, json.dumps(status).encode(), {}, doing)


def _read(body: Mapping[str, Any], doing: str) -> BatchTask:
    task = _readable(body)
    if task is None:
        raise Refused(f"can't {doing}: it is of another version than this executor")
    return task


def _readable(body: Mapping[str, Any]) -> BatchTask | None:
    """The task without `spec.job`, which nobody reads here and thousands of would fill memory."""
    try:
        return BatchTask.from_json({**body, "spec": {**body["spec"], "job": {}}})
    except (ValidationError, KeyError, TypeError) as error:
        name = (body.get("metadata") or {}).get("name")
        log.warning(
            "BatchTask %s is of a version that this executor can't read: %.300s", name, error
        )
        return None


_: type[BatchTasks] = KubeBatchTasks
