"""Turns a SubmitJob request into what a job is to do, refusing what AWS refuses."""

from collections.abc import Mapping, Sequence

from batchtask_local.batch.container import resolve
from batchtask_local.batch.errors import client_error, queue_disabled, refused
from batchtask_local.batch.limits import (
    ARRAY_SIZES,
    MAX_DEPENDENCIES,
    MAX_TAGS,
    check_job_name,
    check_tags,
    retry_strategy,
    timeout_seconds,
)
from batchtask_local.batch.model import (
    Dependency,
    Document,
    JobDefinition,
    JobQueue,
    JobSpec,
)

NO_FAIR_SHARE = (
    "Job with shareIdentifier or schedulingPriority can only be submitted to job queue with fair "
    "share scheduling policy."
)


def specify(
    request: Document,
    queue: JobQueue,
    definition: JobDefinition,
    definition_tags: Mapping[str, str],
) -> JobSpec:
    """Return the job that a validated request asks for.

    Raises:
        ApiError: AWS would refuse it.
    """
    check_job_name(request["jobName"])
    if not queue.enabled:
        raise queue_disabled(queue.name)
    tags = request.get("tags", {})
    check_tags(tags)
    registered = definition.request
    for unsupported in ("nodeOverrides", "consumableResourcePropertiesOverride"):
        if request.get(unsupported):
            raise refused(f"local Batch doesn't support {unsupported}")
    array_size = _array_size(request.get("arrayProperties", {}))
    propagate_tags = request.get("propagateTags", registered.get("propagateTags", False))
    retry = request.get("retryStrategy") or registered.get("retryStrategy", {})
    timeout = request.get("timeout") or registered.get("timeout", {})
    return JobSpec(
        name=request["jobName"],
        queue=queue,
        definition=definition,
        container=resolve(registered, request),
        retry=retry_strategy(retry),
        timeout_seconds=timeout_seconds(timeout),
        depends_on=_dependencies(request.get("dependsOn", ()), array_size),
        array_size=array_size,
        share=_share(request, queue),
        scheduling_priority=_priority(request, registered),
        parameters={**registered.get("parameters", {}), **request.get("parameters", {})},
        propagate_tags=propagate_tags,
        has_too_many_tags=propagate_tags and len({**definition_tags, **tags}) > MAX_TAGS,
    )


def _array_size(properties: Document) -> int | None:
    size: int | None = properties.get("size")
    if size is not None and size not in ARRAY_SIZES:
        raise refused(f"Array size must be {ARRAY_SIZES.start} to {ARRAY_SIZES.stop - 1}")
    return size


def _dependencies(entries: Sequence[Document], array_size: int | None) -> tuple[Dependency, ...]:
    if len(entries) > MAX_DEPENDENCIES:
        raise refused(f"A job can depend on {MAX_DEPENDENCIES} jobs, not {len(entries)}")
    dependencies = tuple(Dependency(entry.get("jobId"), entry.get("type")) for entry in entries)
    for dependency in dependencies:
        if dependency.type is not None and array_size is None:
            raise refused(f"A dependency of type {dependency.type} is for array jobs")
        if dependency.job_id is None and dependency.type != "SEQUENTIAL":
            raise refused("A dependency needs a jobId, unless it is SEQUENTIAL")
    return dependencies


def _share(request: Document, queue: JobQueue) -> str | None:
    share: str | None = request.get("shareIdentifier")
    if queue.is_fair_share and share is None:
        raise client_error(f"shareIdentifier must be provided for job queue {queue.name}")
    if not queue.is_fair_share and (share or "schedulingPriorityOverride" in request):
        raise client_error(NO_FAIR_SHARE)
    return share


def _priority(request: Document, registered: Document) -> int:
    priority: int = request.get(
        "schedulingPriorityOverride", registered.get("schedulingPriority", 0)
    )
    if not 0 <= priority <= 9999:
        raise refused("schedulingPriorityOverride must be 0 to 9999")
    return priority
