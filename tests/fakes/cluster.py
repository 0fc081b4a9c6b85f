"""A stateful stand-in for the cluster's BatchTasks, workload Secrets and one Lease.

It does what the API server does to them: resource versions, preconditions, finalizers, deletion,
merge patches that change nothing, garbage collection, a watch that may lag behind.
"""

import asyncio
import copy
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from batchtask_api import BatchTask, names
from batchtask_controller.clock import Clock
from batchtask_controller.leader import Leases
from batchtask_controller.tasks import (
    Conflict,
    Gone,
    Refused,
    Tasks,
    TasksError,
    Unreachable,
    WorkloadSecret,
)

_T = TypeVar("_T")
Body = dict[str, Any]
Observed = Callable[[BatchTask], object]
Vanished = Callable[[str], object]


@dataclass(frozen=True)
class Failure:
    """What befalls a request: an error, before or after its effect, or a long way there."""

    error: TasksError | None
    takes_effect: bool = False
    delay_seconds: float = 0.0


@dataclass
class Watch:
    """One watcher, who hears of each change in its order, so many seconds late."""

    observed: Observed
    vanished: Vanished
    delay_seconds: float = 0.0
    is_held: bool = False
    is_over: bool = False
    held: deque[Callable[[], object]] = field(default_factory=deque)

    def tell(self, news: Callable[[], object]) -> None:
        """Pass the news on, unless they are held back for now."""
        self.held.append(news)
        if not self.is_held:
            asyncio.get_running_loop().call_later(self.delay_seconds, self._pass_on)

    def hold(self) -> None:
        """Let nothing through, as on a connection that hangs."""
        self.is_held = True

    def release(self) -> None:
        """Let through what was held back, and what comes."""
        self.is_held = False
        while self.held:
            self._pass_on()

    def begin_anew(self, tasks: Sequence[BatchTask]) -> None:
        """List what is there, as after 410: what was held back is lost."""
        self.held.clear()
        self.is_held = False
        for task in tasks:
            self.tell(partial(self.observed, task))

    def _pass_on(self) -> None:
        if self.held and not self.is_over and not self.is_held:
            self.held.popleft()()


@dataclass
class FakeCluster:
    """The cluster, and what its users do in it.

    `fail_next` makes the next requests of an operation fail; the operations are the ports' own
    method names. `patches` counts what changed something: status, finalizers. `refused_patches`
    counts conflicts.
    """

    clock: Clock
    namespace: str = names.DEFAULT_NAMESPACE
    latency_seconds: float = 0.0
    is_down: bool = False
    patches: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    lease: Body | None = None
    has_lease_namespace: bool = True
    watches: list[Watch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._version = 100
        self._uids = 0
        self._tasks: dict[str, Body] = {}
        self._secrets: dict[str, WorkloadSecret] = {}
        self._failures: dict[str, deque[Failure]] = {}
        self.statuses: dict[str, list[Body]] = {}
        """Every status that a task ever had, oldest first, by uid."""

    # -- the port Tasks ---------------------------------------------------------------------------

    async def list(self) -> Sequence[BatchTask]:
        """All tasks."""
        return await self._request("list", self.tasks)

    async def uids(self) -> Set[str]:
        """The uids of all tasks."""
        return await self._request("uids", lambda: {task.metadata.uid for task in self.tasks()})

    async def get(self, task: BatchTask) -> BatchTask:
        """The task as it is now."""

        def read() -> BatchTask:
            body = self._held(task)
            if body["metadata"]["uid"] != task.metadata.uid:
                raise Gone(f"{task} was deleted; another task has its name now")
            return _parsed(body)

        return await self._request("get", read)

    async def patch_status(self, task: BatchTask, changes: Mapping[str, Any]) -> BatchTask:
        """Change the status."""

        def patch() -> BatchTask:
            body = self._as_read(task)
            status = merged(body["status"], changes)
            job_id = body["status"].get("jobId")
            if job_id is not None and status.get("jobId") != job_id:
                raise Refused("status.jobId can't be changed or removed once it is there")
            return self._change("status", body, {**body, "status": status})

        return await self._request("patch_status", patch)

    async def set_finalizers(self, task: BatchTask, finalizers: Sequence[str]) -> BatchTask:
        """Replace the finalizers; a task that is being deleted goes with its last one."""

        def patch() -> BatchTask:
            body = self._as_read(task)
            before = body["metadata"].get("finalizers", [])
            if "deletionTimestamp" in body["metadata"] and set(finalizers) - set(before):
                raise Refused("no new finalizers can be added if the object is being deleted")
            metadata = {**body["metadata"], "finalizers": [*finalizers]}
            return self._change("finalizers", body, {**body, "metadata": metadata})

        return await self._request("set_finalizers", patch)

    async def delete(self, task: BatchTask) -> None:
        """Delete this very task."""

        def delete() -> None:
            if self._held(task)["metadata"]["uid"] != task.metadata.uid:
                raise Conflict(f"{task}: the UID in the precondition doesn't match")
            self._delete(task.metadata.name)

        await self._request("delete", delete)

    async def workload(self, task: BatchTask) -> WorkloadSecret | None:
        """The Secret that the task names."""

        def read() -> WorkloadSecret | None:
            named = task.spec.workload
            return None if named is None else self._secrets.get(named.secret_name)

        return await self._request("workload", read)

    # -- the port Leases --------------------------------------------------------------------------

    async def read(self) -> Mapping[str, Any] | None:
        """The Lease."""
        return await self._request("read", lambda: copy.deepcopy(self.lease))

    async def create(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the Lease."""

        def make() -> Body:
            if not self.has_lease_namespace:
                raise Gone('namespaces "batchtask-system" not found')
            if self.lease is not None:
                raise Conflict("the Lease already exists")
            return self._put_lease(spec)

        return await self._request("create", make)

    async def replace(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change the Lease."""

        def put() -> Body:
            if self.lease is None:
                raise Gone("the Lease is gone")
            held = self.lease["metadata"]["resourceVersion"]
            if lease["metadata"]["resourceVersion"] != held:
                raise Conflict("the Lease has been modified")
            return self._put_lease(spec)

        return await self._request("replace", put)

    # -- what users do ----------------------------------------------------------------------------

    def add(self, task: BatchTask, namespace: str | None = None) -> BatchTask:
        """Create a task: uid, version, times and status are the API server's to give."""
        if task.metadata.name in self._tasks:
            raise Conflict(f"{task} already exists")
        self._uids += 1
        metadata = {
            "name": task.metadata.name,
            "namespace": namespace or self.namespace,
            "uid": str(uuid.UUID(int=self._uids, version=4)),
            "generation": 1,
            "creationTimestamp": self._stamp(),
            "finalizers": list(task.metadata.finalizers),
        }
        body = {
            "metadata": metadata,
            "spec": task.to_json()["spec"],
            "status": {"phase": "Pending"},
        }
        return self._write(body)

    def add_secret(self, name: str, secret: WorkloadSecret) -> None:
        """Create the Secret of a task, or write it anew."""
        self._secrets[name] = secret

    def change_spec(self, name: str, **changes: Any) -> BatchTask:
        """Change fields of a task's spec, by their names in JSON."""
        body = self._tasks[name]
        spec = merged(body["spec"], changes)
        generation = body["metadata"]["generation"] + 1
        metadata = {**body["metadata"], "generation": generation}
        return self._write({**body, "spec": spec, "metadata": metadata})

    def annotate(self, name: str, **annotations: str) -> BatchTask:
        """Change what means nothing to the controller but makes a new version."""
        body = self._tasks[name]
        kept = body["metadata"].get("annotations", {})
        metadata = {**body["metadata"], "annotations": {**kept, **annotations}}
        return self._write({**body, "metadata": metadata})

    def remove(self, name: str) -> None:
        """Ask for a task's deletion."""
        self._delete(name)

    def force_out(self, name: str) -> None:
        """Delete a task past its finalizers, as a person does who strips them."""
        self._drop(self._tasks[name])

    def tasks(self) -> Sequence[BatchTask]:
        """All tasks as they are now."""
        return [_parsed(body) for body in self._tasks.values()]

    def task(self, name: str) -> BatchTask:
        """A task as it is now."""
        return _parsed(self._tasks[name])

    def has(self, name: str) -> bool:
        """Whether there is such a task."""
        return name in self._tasks

    def watch(self, observed: Observed, vanished: Vanished, *, delay_seconds: float = 0) -> Watch:
        """Hear of all tasks now, and of each change from now on."""
        watch = Watch(observed, vanished, delay_seconds)
        self.watches.append(watch)
        for task in self.tasks():
            watch.tell(lambda task=task: observed(task))  # type: ignore[misc]
        return watch

    def fail_next(self, operation: str, *failures: Failure) -> None:
        """Let the next requests of an operation fail."""
        self._failures.setdefault(operation, deque()).extend(failures)

    def calm(self) -> None:
        """Let nothing more go wrong."""
        self._failures.clear()
        self.is_down = False

    # -- inside -----------------------------------------------------------------------------------

    async def _request(self, operation: str, effect: Callable[[], _T]) -> _T:
        """A request that was sent has its effect, even if whoever sent it is gone by then."""
        self.requests[operation] += 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        failures = self._failures.get(operation)
        failure = failures.popleft() if failures else None
        delay = self.latency_seconds + (failure.delay_seconds if failure else 0)
        loop.call_later(delay, self._serve, failure, effect, answer)
        found = await answer
        await asyncio.sleep(self.latency_seconds)
        return found

    def _serve(
        self, failure: Failure | None, effect: Callable[[], _T], answer: "asyncio.Future[_T]"
    ) -> None:
        if self.is_down:
            failure = Failure(Unreachable("the API server does not answer: connection refused"))
        error = failure.error if failure else None
        try:
            if error is not None and failure is not None and not failure.takes_effect:
                raise error
            found = effect()
            if error is not None:
                raise error
        except TasksError as error:
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # the sender may be gone
        else:
            if not answer.done():
                answer.set_result(found)

    def _held(self, task: BatchTask) -> Body:
        body = self._tasks.get(task.metadata.name)
        if body is None:
            raise Gone(f"{task} not found")
        return body

    def _as_read(self, task: BatchTask) -> Body:
        body = self._held(task)
        metadata = body["metadata"]
        read = (task.metadata.uid, task.metadata.resource_version)
        if (metadata["uid"], metadata["resourceVersion"]) != read:
            self.patches["conflict"] += 1
            raise Conflict(f"{task}: the object has been modified")
        return body

    def _change(self, kind: str, before: Body, after: Body) -> BatchTask:
        if before == after:
            self.patches["unchanged"] += 1
            return _parsed(before)
        self.patches[kind] += 1
        metadata = after["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            return self._drop(after)
        return self._write(after)

    def _write(self, body: Body) -> BatchTask:
        self._version += 1
        body["metadata"] = {**body["metadata"], "resourceVersion": str(self._version)}
        self._tasks[body["metadata"]["name"]] = body
        history = self.statuses.setdefault(body["metadata"]["uid"], [])
        if not history or history[-1] != body["status"]:
            history.append(body["status"])
        task = _parsed(body)
        for watch in self.watches:
            watch.tell(lambda watch=watch: watch.observed(task))  # type: ignore[misc]
        return task

    def _delete(self, name: str) -> None:
        body = self._tasks[name]
        metadata = body["metadata"]
        if not metadata.get("finalizers"):
            self._drop(body)
        elif "deletionTimestamp" not in metadata:
            generation = metadata["generation"] + 1
            marks = {"deletionTimestamp": self._stamp(), "generation": generation}
            self._write({**body, "metadata": {**metadata, **marks}})

    def _drop(self, body: Body) -> BatchTask:
        self._version += 1
        name, uid = body["metadata"]["name"], body["metadata"]["uid"]
        del self._tasks[name]
        owned = {
            secret: content
            for secret, content in self._secrets.items()
            if any(owner.uid == uid for owner in content.owners)
        }
        for secret in owned:
            del self._secrets[secret]
        for watch in self.watches:
            watch.tell(lambda watch=watch: watch.vanished(uid))  # type: ignore[misc]
        metadata = {**body["metadata"], "resourceVersion": str(self._version)}
        return _parsed({**body, "metadata": metadata})

    def _put_lease(self, spec: Mapping[str, Any]) -> Body:
        self._version += 1
        self.lease = {
            "metadata": {"resourceVersion": str(self._version)},
            "spec": copy.deepcopy(dict(spec)),
        }
        return copy.deepcopy(self.lease)

    def _stamp(self) -> str:
        return f"{self.clock.now():%Y-%m-%dT%H:%M:%SZ}"


def merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Body:
    """RFC 7396."""
    found = dict(target)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            inner = found.get(key)
            found[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            found[key] = copy.deepcopy(value)
    return found


def _parsed(body: Body) -> BatchTask:
    return BatchTask.from_json(body)


if TYPE_CHECKING:
    from fakes.clock import FakeClock

    _tasks: Tasks = FakeCluster(FakeClock())
    _leases: Leases = FakeCluster(FakeClock())
