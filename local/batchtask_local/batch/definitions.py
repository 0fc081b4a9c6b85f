"""Job definitions and their revisions."""

from dataclasses import replace

from batchtask_local.batch.arns import Arns, name_of
from batchtask_local.batch.container import resolve
from batchtask_local.batch.errors import definition_not_found, refused
from batchtask_local.batch.limits import check_name, retry_strategy, timeout_seconds
from batchtask_local.batch.model import Document, JobDefinition
from batchtask_local.batch.paging import page
from batchtask_local.batch.tags import Tags


class Definitions:
    """The job definitions of one account and region; revisions count on after a deregistration."""

    def __init__(self, arns: Arns, tags: Tags) -> None:
        self._arns = arns
        self._tags = tags
        self._revisions: dict[str, list[JobDefinition]] = {}

    def find(self, reference: str) -> JobDefinition:
        """Return an active definition by `name`, `name:revision` or ARN with or without one.

        Raises:
            ApiError: there is none, or it isn't active.
        """
        name, revision = _split(reference)
        for definition in reversed(self._revisions.get(name, ())):
            is_meant = revision in {None, definition.revision}
            if is_meant and definition.active and self._is_ours(reference, definition):
                return definition
        raise definition_not_found(reference)

    def register(self, request: Document) -> Document:
        """Answer RegisterJobDefinition."""
        name = request["jobDefinitionName"]
        check_name("jobDefinitionName", name)
        _check(request)
        revisions = self._revisions.get(name, [])
        revision = len(revisions) + 1
        arn = self._arns.definition(name, revision)
        self._tags.add(arn, request.get("tags", {}))
        definition = JobDefinition(name, revision, arn, active=True, request=request)
        self._revisions[name] = [*revisions, definition]
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def describe(self, request: Document) -> Document:
        """Answer DescribeJobDefinitions."""
        items, token = page(self._chosen(request), request)
        return {"jobDefinitions": [self._detail(definition) for definition in items], **token}

    def deregister(self, request: Document) -> Document:
        """Answer DeregisterJobDefinition."""
        name, revision = _split(request["jobDefinition"])
        if revision is None:
            raise refused("jobDefinition must be name:revision or an ARN with a revision")
        definition = self.find(request["jobDefinition"])
        self._revisions[name][revision - 1] = replace(definition, active=False)
        return {}

    def _is_ours(self, reference: str, definition: JobDefinition) -> bool:
        if not reference.startswith("arn:"):
            return True
        return reference in {definition.arn, definition.arn.rpartition(":")[0]}

    def _chosen(self, request: Document) -> list[JobDefinition]:
        references = [_split(reference) for reference in request.get("jobDefinitions", ())]
        wanted_name, wanted_status = request.get("jobDefinitionName"), request.get("status")
        return [
            definition
            for revisions in self._revisions.values()
            for definition in reversed(revisions)
            if wanted_name in {None, definition.name}
            and wanted_status in {None, _status(definition)}
            and (not references or _is_among(definition, references))
        ]

    def _detail(self, definition: JobDefinition) -> Document:
        is_eks = "eksProperties" in definition.request
        return {
            "parameters": {},
            "propagateTags": False,
            **definition.request,
            "jobDefinitionArn": definition.arn,
            "revision": definition.revision,
            "status": _status(definition),
            "containerOrchestrationType": "EKS" if is_eks else "ECS",
            "tags": self._tags.of(definition.arn),
        }


def _split(reference: str) -> tuple[str, int | None]:
    name, _, revision = name_of(reference).partition(":")
    return name, int(revision) if revision.isdecimal() else None


def _is_among(definition: JobDefinition, references: list[tuple[str, int | None]]) -> bool:
    return any(
        name == definition.name and revision in {None, definition.revision}
        for name, revision in references
    )


def _status(definition: JobDefinition) -> str:
    return "ACTIVE" if definition.active else "INACTIVE"


def _check(request: Document) -> None:
    """Refuse a definition that no job could be made of."""
    if request["type"] != "container":
        raise refused(f"local Batch runs jobs of type container, not {request['type']}")
    retry_strategy(request.get("retryStrategy", {}))
    timeout_seconds(request.get("timeout", {}))
    container = resolve(request, {}, substitutes_parameters=False)
    if not container.image:
        raise refused("Container image is not provided.")
    if not container.millivcpus:
        raise refused("vCPU is not provided.")
    if container.memory_mib < 4:
        raise refused("Memory is not provided, or under 4 MiB.")
