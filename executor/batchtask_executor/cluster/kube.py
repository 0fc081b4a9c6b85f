"""BatchTasks in Kubernetes."""

import contextlib
import json
import logging
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import urllib3
from pydantic import ValidationError

from batchtask_api import AirflowIdentity, BatchTask, names
from batchtask_executor.cluster.kube_api import STRICT, KubeApi, check
from batchtask_executor.cluster.kube_errors import refusal
from batchtask_executor.cluster.manifest import WorkloadSecret, is_same_try, labels
from batchtask_executor.cluster.stream import lines
from batchtask_executor.cluster.tasks import (
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
from batchtask_executor.config import Settings

log = logging.getLogger(__name__)

_PAGE: Final = 500
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_SILENCE_SECONDS: Final = 100.0
"""The API server sends a bookmark about every 60 s. After more silence the connection is dead, or
the store was set back to before where the watch began: then the server waits, and says nothing."""
_WATCH_SECONDS: Final = (240, 300)


class KubeBatchTasks:
    """The tasks of one instance in one namespace."""

    def __init__(
        self,
        settings: Settings,
        *,
        connections: int = 16,
        silence_seconds: float = _SILENCE_SECONDS,
        answer_within: float | None = None,
    ) -> None:
        self._settings = settings
        api = KubeApi(settings, connections=connections, answer_within=answer_within)
        self._request, self._json, self._close = api.request, api.json, api.close
        self._watch_timeout = urllib3.Timeout(connect=5, read=silence_seconds)
        self._tasks = f"/apis/{names.API_VERSION}/namespaces/{settings.namespace}/{names.PLURAL}"
        self._secrets = f"/api/v1/namespaces/{settings.namespace}/secrets"
        self._selector = f"{names.LABEL_INSTANCE}={settings.instance}"
        self._lock = threading.Lock()
        self._watches: set[urllib3.BaseHTTPResponse] = set()
        self._is_closed = False

    def create(self, task: BatchTask) -> BatchTask:
        """Create the task; see the port."""
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, **task.to_json()}
        body.pop("status", None)
        doing = f"create BatchTask {task}"
        return _read(self._json("POST", self._tasks, doing, body, STRICT), doing)

    def put_workload(self, secret: WorkloadSecret) -> None:
        """Create the Secret, or patch it where it is; see the port."""
        body = secret.to_json()
        doing = f"write the Secret {secret.namespace}/{secret.name}"
        response = self._request("POST", self._secrets, doing, body, STRICT)
        if response.status != 409:
            check(response, doing)
            return
        metadata = {key: body["metadata"][key] for key in ("annotations", "ownerReferences")}
        patch = {"metadata": metadata, "data": body["data"]}
        response = self._request("PATCH", f"{self._secrets}/{secret.name}", doing, patch, STRICT)
        if response.status == 404:
            raise Conflict(f"can't {doing}: it was there, and is gone")
        check(response, doing)

    def get(self, name: str) -> BatchTask | None:
        """Read one task; see the port."""
        doing = f"read BatchTask {self._settings.namespace}/{name}"
        response = self._request("GET", f"{self._tasks}/{name}", doing)
        return None if response.status == 404 else _read(check(response, doing), doing)

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
        response = self._request("GET", self._tasks, doing, query=query, stream=self._watch_timeout)
        if response.status != 200:
            check(response, doing)
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
        response = self._request("PATCH", f"{self._tasks}/{name}", doing, patch, STRICT)
        if response.status != 404:
            check(response, doing)

    def close(self) -> None:
        """End the watches; see the port."""
        self._close()
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
