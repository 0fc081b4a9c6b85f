"""Compute environments and job queues: made, described, changed and deleted."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batchtask_local.batch.arns import Arns, name_of
from batchtask_local.batch.errors import client_error, queue_not_found, refused
from batchtask_local.batch.limits import check_name
from batchtask_local.batch.model import ComputeEnvironment, Document, JobQueue
from batchtask_local.batch.paging import page
from batchtask_local.batch.tags import Tags

EXISTS = "Object already exists"
RELATED = "Cannot delete, found existing JobQueue relationship"
MAX_ENVIRONMENTS_OF_QUEUE = 3


class Places:
    """The environments and queues of one account and region."""

    def __init__(self, arns: Arns, tags: Tags) -> None:
        self._arns = arns
        self._tags = tags
        self._environments: dict[str, ComputeEnvironment] = {}
        self._queues: dict[str, JobQueue] = {}
        self._by_priority: list[JobQueue] = []

    # What the engine and the other operations ask

    def queues(self) -> list[JobQueue]:
        """Return the queues, the highest priority first."""
        return self._by_priority

    def environments(self, queue: JobQueue) -> list[ComputeEnvironment]:
        """Return a queue's environments, in its order."""
        found = (self._environments.get(name_of(arn)) for arn in queue.environments)
        return [environment for environment in found if environment is not None]

    def queue(self, reference: str) -> JobQueue:
        """Return a queue by name or ARN.

        Raises:
            ApiError: there is none.
        """
        queue = self._queues.get(name_of(reference))
        if queue is None or reference not in {queue.name, queue.arn}:
            raise queue_not_found(reference)
        return queue

    # Compute environments

    def create_environment(self, request: Document) -> Document:
        """Answer CreateComputeEnvironment."""
        name = request["computeEnvironmentName"]
        check_name("computeEnvironmentName", name)
        if name in self._environments:
            raise client_error(EXISTS)
        environment = ComputeEnvironment(
            name=name,
            arn=self._arns.environment(name),
            uuid=str(uuid.uuid4()),
            enabled=_is_enabled(request),
            millivcpus=_millivcpus(request),
            request=request,
        )
        self._tags.add(environment.arn, request.get("tags", {}))
        self._environments[name] = environment
        return {"computeEnvironmentName": name, "computeEnvironmentArn": environment.arn}

    def describe_environments(self, request: Document) -> Document:
        """Answer DescribeComputeEnvironments."""
        found = _chosen(self._environments, request.get("computeEnvironments"))
        items, token = page(found, request)
        return {"computeEnvironments": [self._environment_detail(item) for item in items], **token}

    def update_environment(self, request: Document) -> Document:
        """Answer UpdateComputeEnvironment."""
        old = self._environment(request["computeEnvironment"])
        changes = {key: value for key, value in request.items() if key != "computeEnvironment"}
        merged: dict[str, Any] = {**old.request, **changes}
        if "computeResources" in changes:
            before = old.request.get("computeResources", {})
            merged["computeResources"] = {**before, **changes["computeResources"]}
        self._environments[old.name] = replace(
            old, enabled=_is_enabled(merged), millivcpus=_millivcpus(merged), request=merged
        )
        return {"computeEnvironmentName": old.name, "computeEnvironmentArn": old.arn}

    def delete_environment(self, request: Document) -> Document:
        """Answer DeleteComputeEnvironment; one that isn't there is deleted."""
        environment = self._environments.get(name_of(request["computeEnvironment"]))
        if environment is None:
            return {}
        if environment.enabled:
            raise client_error("Cannot delete, the compute environment must be DISABLED first")
        if any(environment.arn in queue.environments for queue in self._queues.values()):
            raise client_error(RELATED)
        del self._environments[environment.name]
        return {}

    def _environment(self, reference: str) -> ComputeEnvironment:
        environment = self._environments.get(name_of(reference))
        if environment is None or reference not in {environment.name, environment.arn}:
            raise client_error(f"ComputeEnvironment {reference} not found.")
        return environment

    def _environment_detail(self, environment: ComputeEnvironment) -> Document:
        is_eks = "eksConfiguration" in environment.request
        return {
            **environment.request,
            "computeEnvironmentArn": environment.arn,
            "ecsClusterArn": self._arns.cluster(environment.name),
            "state": _state(is_enabled=environment.enabled),
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "uuid": environment.uuid,
            "containerOrchestrationType": "EKS" if is_eks else "ECS",
            "tags": self._tags.of(environment.arn),
        }

    # Job queues

    def create_queue(self, request: Document) -> Document:
        """Answer CreateJobQueue."""
        name = request["jobQueueName"]
        check_name("jobQueueName", name)
        if name in self._queues:
            raise client_error(EXISTS)
        queue = JobQueue(
            name=name,
            arn=self._arns.queue(name),
            enabled=_is_enabled(request),
            priority=request["priority"],
            environments=self._order(request.get("computeEnvironmentOrder", ())),
            request=request,
        )
        self._tags.add(queue.arn, request.get("tags", {}))
        self._put(queue)
        return {"jobQueueName": name, "jobQueueArn": queue.arn}

    def describe_queues(self, request: Document) -> Document:
        """Answer DescribeJobQueues."""
        items, token = page(_chosen(self._queues, request.get("jobQueues")), request)
        return {"jobQueues": [self._queue_detail(queue) for queue in items], **token}

    def update_queue(self, request: Document) -> Document:
        """Answer UpdateJobQueue."""
        old = self.queue(request["jobQueue"])
        changes = {key: value for key, value in request.items() if key != "jobQueue"}
        merged = {**old.request, **changes}
        queue = replace(
            old,
            enabled=_is_enabled(merged),
            priority=merged["priority"],
            environments=self._order(merged.get("computeEnvironmentOrder", ())),
            request=merged,
        )
        self._put(queue)
        return {"jobQueueName": queue.name, "jobQueueArn": queue.arn}

    def delete_queue(self, request: Document) -> JobQueue | None:
        """Delete a queue for DeleteJobQueue and return it; one that isn't there is deleted."""
        queue = self._queues.get(name_of(request["jobQueue"]))
        if queue is None:
            return None
        if queue.enabled:
            raise client_error("Cannot delete, the job queue must be DISABLED first")
        del self._queues[queue.name]
        self._sort()
        return queue

    def _put(self, queue: JobQueue) -> None:
        self._queues[queue.name] = queue
        self._sort()

    def _sort(self) -> None:
        self._by_priority = sorted(self._queues.values(), key=lambda queue: -queue.priority)

    def _order(self, orders: Sequence[Document]) -> tuple[str, ...]:
        """Return the ARNs of a computeEnvironmentOrder, in its order."""
        if not 1 <= len(orders) <= MAX_ENVIRONMENTS_OF_QUEUE:
            raise refused(
                f"computeEnvironmentOrder must have 1 to {MAX_ENVIRONMENTS_OF_QUEUE} entries"
            )
        ordered = sorted(orders, key=lambda order: int(order["order"]))
        return tuple(self._environment(order["computeEnvironment"]).arn for order in ordered)

    def _queue_detail(self, queue: JobQueue) -> Document:
        order = [
            {"order": number, "computeEnvironment": arn}
            for number, arn in enumerate(queue.environments, start=1)
        ]
        return {
            **queue.request,
            "jobQueueArn": queue.arn,
            "state": _state(is_enabled=queue.enabled),
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "computeEnvironmentOrder": order,
            "tags": self._tags.of(queue.arn),
        }


def _chosen(
    items: dict[str, Any],
    references: Sequence[str] | None,
) -> list[Any]:
    """Return what the references name, or all; what isn't there is left out."""
    if not references:
        return list(items.values())
    found = (items.get(name_of(reference)) for reference in references)
    return [item for item in found if item is not None]


def _is_enabled(request: Document) -> bool:
    state = request.get("state", "ENABLED")
    if state not in {"ENABLED", "DISABLED"}:
        raise refused(f"state must be ENABLED or DISABLED, not {state}")
    return bool(state == "ENABLED")


def _state(*, is_enabled: bool) -> str:
    return "ENABLED" if is_enabled else "DISABLED"


def _millivcpus(request: Document) -> int:
    """Return a new environment's vCPUs in thousandths."""
    if request["type"] == "UNMANAGED":
        vcpus = request.get("unmanagedvCpus", 0)
    elif "computeResources" in request:
        vcpus = request["computeResources"]["maxvCpus"]
    else:
        raise refused("computeResources must be provided for a MANAGED compute environment")
    return int(vcpus) * 1000
