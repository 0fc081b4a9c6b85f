"""The port `Estate` on a real API server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from batchtask_api import names
from batchtask_controller.cluster import Api
from batchtask_controller.release import Held
from batchtask_controller.tasks import Gone, Unreachable

_GROUP = f"/apis/{names.API_VERSION}"
_DEFINITION = (
    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"
)
_MERGE = {"Content-Type": "application/merge-patch+json"}
_PAGE = 500


class ClusterEstate:
    """All BatchTasks of the cluster, read as they stand: an old version's must be let go too."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def delete_definition(self) -> None:
        """Delete the CRD."""
        try:
            await self._api.request("DELETE", _DEFINITION)
        except Gone:
            return

    async def held(self) -> Sequence[Held]:
        """Every task there is."""
        return [_held(item) async for item in self._items()]

    async def _items(self) -> AsyncIterator[Mapping[str, Any]]:
        query = {"limit": str(_PAGE)}
        while True:
            try:
                page = await self._api.request("GET", f"{_GROUP}/{names.PLURAL}", query=query)
            except Gone as error:
                if "continue" in query:  # the list grew old on the way: not "there is none"
                    raise Unreachable(str(error)) from None
                return
            for item in page["items"]:
                yield item
            if not (token := page["metadata"].get("continue")):
                return
            query["continue"] = token

    async def delete(self, task: Held) -> None:
        """Delete this very task."""
        body = {"preconditions": {"uid": task.uid}, "propagationPolicy": "Background"}
        await self._api.request("DELETE", _path(task), body=body)

    async def drop_finalizer(self, task: Held) -> None:
        """Drop the controller's finalizer."""
        metadata = {
            "uid": task.uid,
            "resourceVersion": task.resource_version,
            "finalizers": [each for each in task.finalizers if each != names.FINALIZER],
        }
        await self._api.request("PATCH", _path(task), body={"metadata": metadata}, headers=_MERGE)


def _path(task: Held) -> str:
    return f"{_GROUP}/namespaces/{task.namespace}/{names.PLURAL}/{task.name}"


def _held(item: Mapping[str, Any]) -> Held:
    metadata = item["metadata"]
    return Held(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        finalizers=tuple(metadata.get("finalizers", ())),
        is_deleting="deletionTimestamp" in metadata,
        job_id=item.get("status", {}).get("jobId"),
    )
