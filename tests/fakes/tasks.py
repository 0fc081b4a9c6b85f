"""A stateful stand-in for the cluster, as the executor's port BatchTasks shows it."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from batchtask_api import AirflowIdentity, BatchTask, BatchTaskStatus, names
from batchtask_executor.cluster.manifest import WorkloadSecret, is_same_try
from batchtask_executor.cluster.tasks import (
    AlreadyExists,
    BatchTasks,
    Bookmark,
    Deleted,
    Event,
    Gone,
    Listing,
    Seen,
    TasksError,
    Unavailable,
)

_CHECK_SECONDS = 0.05


@dataclass
class FakeBatchTasks:
    """One instance's tasks in one namespace, with what the API server does to them.

    `down` makes every request fail with that error; `fail_next` makes the next ones of an
    operation fail, once each; `lose_next` has them take effect, and their replies get lost.
    `requests` counts what was asked for.
    """

    namespace: str = names.DEFAULT_NAMESPACE
    instance: str = "airflow"
    latency_seconds: float = 0.0
    down: TasksError | None = None
    objects: dict[str, BatchTask] = field(default_factory=dict)
    secrets: dict[str, WorkloadSecret] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    fail_next: dict[str, list[Exception]] = field(default_factory=dict)
    lose_next: dict[str, list[Exception]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._version = 0
        self._log: list[tuple[int, Event]] = []
        self._forgotten = 0
        self._is_closed = False
        self._generation = 0

    # -- the port ---------------------------------------------------------------------------------

    def create(self, task: BatchTask) -> BatchTask:
        self._arrive("create")
        with self._changed:
            if task.metadata.name in self.objects:
                raise AlreadyExists(f"can't create BatchTask {task}: it exists (409)")
            created = _with_metadata(
                task, uid=str(uuid.uuid4()), creation_timestamp=datetime.now(UTC)
            )
            created = created.model_copy(update={"status": BatchTaskStatus()})
            stored = self._store(created)
        self._reply("create")
        return _slim(stored)

    def put_workload(self, secret: WorkloadSecret) -> None:
        self._arrive("put_workload")
        with self._changed:
            owner = self.objects.get(secret.owner.name)
            if owner and owner.metadata.uid == secret.owner.uid:  # else it is collected at once
                self.secrets[secret.name] = secret
        self._reply("put_workload")

    def get(self, name: str) -> BatchTask | None:
        self._arrive("get")
        with self._changed:
            found = self.objects.get(name)
        return found and _slim(found)

    def list(self) -> Listing:
        self._arrive("list")
        with self._changed:
            tasks = [_slim(task) for task in self.objects.values() if self._is_ours(task)]
            found = frozenset(task.metadata.name for task in tasks)
            return Listing(tasks, found, str(self._version))

    def find(self, airflow: AirflowIdentity) -> Sequence[BatchTask]:
        self._arrive("find")
        with self._changed:
            tasks = [task for task in self.objects.values() if self._is_ours(task)]
        return [_slim(task) for task in tasks if is_same_try(task.spec.airflow, airflow)]

    def watch(self, since: str) -> Iterator[Event]:
        self._arrive("watch")
        if int(since) < self._forgotten:
            raise Gone(f"can't watch BatchTasks: too old resource version: {since} (410)")
        generation = self._generation
        yield Bookmark(since)
        told = int(since)
        while not self._is_closed:
            with self._changed:
                news = [(version, event) for version, event in self._log if version > told]
                if not news:
                    self._changed.wait(_CHECK_SECONDS)
            if self.down or generation != self._generation:
                raise Unavailable("can't watch BatchTasks: the connection broke")
            for version, event in news:
                told = version
                yield event

    def cancel(self, name: str) -> None:
        self._arrive("cancel")
        with self._changed:
            if task := self.objects.get(name):
                spec = task.spec.model_copy(update={"cancel": True})
                self._store(task.model_copy(update={"spec": spec}))
        self._reply("cancel")

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def reopen(self) -> None:
        """Be used by another process, after the one that closed it."""
        with self._changed:
            self._is_closed = False

    # -- what others do to the cluster ------------------------------------------------------------

    def set_status(self, name: str, **changes: Any) -> None:
        """Do as the controller: change the status."""
        with self._changed:
            task = self.objects[name]
            status = task.status.model_copy(update=changes)
            self._store(task.model_copy(update={"status": status}))

    def delete(self, name: str) -> None:
        """Ask for the deletion; the finalizer holds the task until it is released."""
        with self._changed:
            task = self.objects[name]
            if task.metadata.finalizers:
                self._store(_with_metadata(task, deletion_timestamp=datetime.now(UTC)))
            else:
                self._remove(task)

    def release(self, name: str) -> None:
        """Do as the controller: let go of a task that is being deleted."""
        with self._changed:
            self._remove(self.objects[name])

    def relabel(self, name: str, instance: str) -> None:
        """Give the task to another instance."""
        with self._changed:
            task = self.objects[name]
            labels = {**task.metadata.labels, names.LABEL_INSTANCE: instance}
            moved = self._store(_with_metadata(task, labels=labels), is_told=False)
            self._tell(Deleted(_slim(task), moved.metadata.resource_version))

    def forget_history(self) -> None:
        """Compact: no watch can start before now, and those under way end."""
        with self._changed:
            self._forgotten = self._version
            self._log.clear()
            self.break_watches()

    def break_watches(self) -> None:
        """Cut every watch's connection."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def lose(self, name: str) -> None:
        """Remove a task without a word, as a restored etcd does."""
        with self._changed:
            self._version += 1
            self.secrets.pop(name, None)
            del self.objects[name]

    # -- inside -----------------------------------------------------------------------------------

    def _arrive(self, operation: str) -> None:
        with self._changed:
            self.requests[operation] += 1
        if self.latency_seconds:
            time.sleep(self.latency_seconds)
        if self.down:
            raise self.down
        if waiting := self.fail_next.get(operation):
            raise waiting.pop(0)

    def _reply(self, operation: str) -> None:
        if waiting := self.lose_next.get(operation):
            raise waiting.pop(0)

    def _is_ours(self, task: BatchTask) -> bool:
        return task.metadata.labels.get(names.LABEL_INSTANCE) == self.instance

    def _store(self, task: BatchTask, *, is_told: bool = True) -> BatchTask:
        self._version += 1
        stored = _with_metadata(task, resource_version=str(self._version))
        self.objects[task.metadata.name] = stored
        if is_told and self._is_ours(stored):
            self._tell(Seen(_slim(stored), str(self._version)))
        return stored

    def _remove(self, task: BatchTask) -> None:
        self._version += 1
        del self.objects[task.metadata.name]
        self.secrets.pop(task.metadata.name, None)
        last = _with_metadata(task, resource_version=str(self._version))
        self._tell(Deleted(_slim(last), str(self._version)))

    def _tell(self, event: Event) -> None:
        self._log.append((self._version, event))
        self._changed.notify_all()


def _with_metadata(task: BatchTask, **changes: Any) -> BatchTask:
    return task.model_copy(update={"metadata": task.metadata.model_copy(update=changes)})


def _slim(task: BatchTask) -> BatchTask:
    return task.model_copy(update={"spec": task.spec.model_copy(update={"job": {}})})


_: type[BatchTasks] = FakeBatchTasks
