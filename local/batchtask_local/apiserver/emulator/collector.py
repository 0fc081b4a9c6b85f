"""Delete what nobody holds any more: what is owned, and what is in a namespace or of a kind."""

import asyncio
from collections.abc import Mapping
from typing import Any

from batchtask_local.apiserver.emulator.bodies import WriteOptions
from batchtask_local.apiserver.emulator.builtin import CRD_FINALIZER
from batchtask_local.apiserver.emulator.resources import (
    DEFINITIONS,
    NAMESPACES,
    Object,
    Resource,
    from_definition,
)
from batchtask_local.apiserver.emulator.storage import Change, Storage
from batchtask_local.apiserver.emulator.writes import DeleteOptions, Writer


class Collector:
    """Follows every change, in order, in the background."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[tuple[Resource, Change]] = asyncio.Queue()

    def notice(self, resource: Resource, change: Change) -> None:
        """Take a change to look at later."""
        self._changes.put_nowait((resource, change))

    async def run(self, storage: Storage, writer: Writer) -> None:
        """Follow the changes for ever."""
        while True:
            resource, change = await self._changes.get()
            Step(storage, writer).follow(resource, change)


class Step:
    """What one change leads to."""

    def __init__(self, storage: Storage, writer: Writer) -> None:
        self._storage = storage
        self._writer = writer

    def follow(self, resource: Resource, change: Change) -> None:
        """Delete what this change has left without an owner, a namespace or a kind."""
        metadata = change.new["metadata"]
        if change.type == "DELETED":
            self._collect(metadata["uid"])
            self._release_owners(metadata)
            self._continue_holders(resource, metadata)
        elif metadata.get("deletionTimestamp"):
            self._continue(resource, change.new)
        elif metadata.get("ownerReferences"):
            self._collect_if_unowned(resource, change.new)

    def _collect(self, uid: str) -> None:
        for resource, owned in self._storage.owned_by(uid):
            self._collect_if_unowned(resource, owned)

    def _collect_if_unowned(self, resource: Resource, content: Object) -> None:
        owners = content["metadata"]["ownerReferences"]
        if not any(self._storage.with_uid(owner["uid"]) for owner in owners):
            self._delete(resource, content)

    def _release_owners(self, metadata: Mapping[str, Any]) -> None:
        """An owner that is deleted in the foreground may have waited for this object."""
        for owner in metadata.get("ownerReferences") or ():
            if found := self._storage.with_uid(owner["uid"]):
                self._continue(*found)

    def _continue_holders(self, resource: Resource, metadata: Mapping[str, Any]) -> None:
        """A namespace or a CRD may have waited for its last object to go."""
        if place := metadata.get("namespace"):
            self._continue_if_there(NAMESPACES, place)
        if resource.is_custom:
            self._continue_if_there(DEFINITIONS, resource.qualified_plural)

    def _continue_if_there(self, resource: Resource, name: str) -> None:
        if found := self._storage.find(resource, "", name):
            self._continue(resource, found)

    def _continue(self, resource: Resource, content: Object) -> None:
        """Go on with a deletion that has begun."""
        found = self._storage.find(
            resource, content["metadata"].get("namespace", ""), content["metadata"]["name"]
        )
        if not found or not found["metadata"].get("deletionTimestamp"):
            return
        if resource is NAMESPACES:
            self._empty_namespace(found)
        elif resource is DEFINITIONS:
            self._empty_kind(found)
        else:
            self._end_dependents(resource, found)

    def _empty_namespace(self, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        kinds = [resource for resource in self._storage.resources if resource.namespaced]
        for resource in kinds:
            for content in self._storage.all(resource, name):
                self._delete(resource, content)
        if not any(self._storage.all(resource, name) for resource in kinds):
            self._storage.remove(NAMESPACES, namespace)

    def _empty_kind(self, definition: Object) -> None:
        resource = from_definition(definition["spec"])
        if CRD_FINALIZER not in definition["metadata"].get("finalizers", ()):
            return
        for content in self._storage.all(resource):
            self._delete(resource, content)
        if not self._storage.all(resource):
            self._release(DEFINITIONS, definition, CRD_FINALIZER)
            self._storage.forget(resource)

    def _end_dependents(self, resource: Resource, content: Object) -> None:
        held, uid = content["metadata"].get("finalizers") or (), content["metadata"]["uid"]
        dependents = self._storage.owned_by(uid)
        if "orphan" in held:
            for kind, dependent in dependents:
                self._orphan(kind, dependent, uid)
            self._release(resource, content, "orphan")
        elif "foregroundDeletion" in held:
            for kind, dependent in dependents:
                self._delete(kind, dependent)
            if not self._storage.owned_by(uid):
                self._release(resource, content, "foregroundDeletion")

    def _orphan(self, resource: Resource, content: Object, uid: str) -> None:
        owners = [owner for owner in content["metadata"]["ownerReferences"] if owner["uid"] != uid]
        self._update(resource, content, {"ownerReferences": owners})

    def _release(self, resource: Resource, content: Object, finalizer: str) -> None:
        kept = [name for name in content["metadata"]["finalizers"] if name != finalizer]
        self._update(resource, content, {"finalizers": kept})

    def _update(self, resource: Resource, content: Object, metadata: Mapping[str, Any]) -> None:
        body = {**content, "metadata": {**content["metadata"], **metadata}}
        self._writer.update(resource, content, body, WriteOptions("Ignore"))

    def _delete(self, resource: Resource, content: Object) -> None:
        place, name = content["metadata"].get("namespace", ""), content["metadata"]["name"]
        found = self._storage.find(resource, place, name)
        if found and not found["metadata"].get("deletionTimestamp"):
            self._writer.delete(resource, found, DeleteOptions())
