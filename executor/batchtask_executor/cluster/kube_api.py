"""Requests to the API server: raw JSON over the official client's connections and credentials."""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import kubernetes.client.rest
import kubernetes.config
import urllib3

from batchtask_executor.cluster.kube_errors import refusal
from batchtask_executor.cluster.tasks import Refused, Unavailable
from batchtask_executor.config import SECTION, Settings
from batchtask_executor.redaction import redacted

_MERGE_PATCH: Final = "application/merge-patch+json"
STRICT: Final = {"fieldValidation": "Strict", "fieldManager": "batchtask-executor"}
"""Without Strict the API server drops fields that it doesn't know, in silence."""

_LARGEST_BYTES: Final = 1024 * 1024
"""Of an object: etcd takes 1.5 MiB by default, and the status needs room in it."""
_REFRESH_SECONDS: Final = 10.0
_JSON: Final = "application/json"


class KubeApi:
    """The API server that the settings name; safe to use from several threads.

    The connection is made at the first request, so that nothing here stops a scheduler from
    starting, and again when the credentials are refused.
    """

    def __init__(
        self, settings: Settings, *, connections: int = 16, answer_within: float | None = None
    ) -> None:
        """Allow the server 30 s for an answer, or `answer_within` seconds, connecting included."""
        self._settings = settings
        self._timeout = urllib3.Timeout(connect=5, read=30, total=answer_within)
        self._connections = connections
        self._lock = threading.Lock()
        self._connected: _Connection | None = None
        self._is_closed = False

    def close(self) -> None:
        """Take no more requests."""
        self._is_closed = True

    def json(
        self,
        method: str,
        path: str,
        doing: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Send one request, once, and return the object that it is answered with.

        Raises:
            TasksError: the API server refused, or didn't answer.
        """
        return check(self.request(method, path, doing, body, query), doing)

    def request(
        self,
        method: str,
        path: str,
        doing: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        stream: urllib3.Timeout | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request, once; whether again is for the caller to say.

        Args:
            method: of HTTP.
            path: from the server's root.
            doing: what it is for, such as "create BatchTask ns/name".
            body: an object, sent as JSON.
            query: the parameters.
            stream: has the reply come as it arrives, each part within this time.

        Raises:
            Refused: the body is too large.
            Unavailable: no answer came.
        """
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
                timeout=stream or self._timeout,
                retries=False,
                preload_content=stream is None,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            why = redacted(f"no answer from {connection.host} ({error})")
            raise Unavailable(
                f"can't {doing}: {why}; see [{SECTION}] in_cluster, config_file and cluster_context"
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
            raise Unavailable(f"can't {doing}: {redacted(_unusable(settings, error))}") from error
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


def check(response: urllib3.BaseHTTPResponse, doing: str) -> Mapping[str, Any]:
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
