"""Objects, one revision counter over all of them, and a bounded log of changes to watch."""

import asyncio
import bisect
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from batchtask_local.apiserver.emulator.errors import StatusError
from batchtask_local.apiserver.emulator.resources import Object, Resource

Name = tuple[str, str]
"""Namespace, empty for what has none, and name."""


@dataclass(frozen=True)
class Change:
    """What happened to one object. A deletion's `new` is the object's last state."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    revision: int
    old: Object | None
    new: Object


class ChangeLog:
    """The last changes to one kind of object, for those who watch it."""

    def __init__(self, revision: int, limit: int) -> None:
        self._changes: list[Change] = []
        self._known_from = revision
        self._limit = limit
        self._news = asyncio.Event()

    def append(self, change: Change) -> None:
        """Add a change and wake who waits for it."""
        self._changes.append(change)
        if len(self._changes) > 2 * self._limit:
            self._known_from = self._changes[self._limit - 1].revision
            del self._changes[: self._limit]
        self._news.set()
        self._news = asyncio.Event()

    def since(self, revision: int) -> Sequence[Change]:
        """Return the changes after a revision.

        Raises:
            StatusError: 410 Expired, since some of them are no longer known.
        """
        if revision < self._known_from:
            message = f"too old resource version: {revision} ({self._known_from})"
            raise StatusError(410, "Expired", message)
        start = bisect.bisect_right(self._changes, revision, key=lambda change: change.revision)
        return self._changes[start:]

    async def wait(self, seconds: float) -> None:
        """Return at the next change, or after so many seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return


@dataclass
class Collection:
    """The objects of one kind, and what happened to them."""

    resource: Resource
    log: ChangeLog
    objects: dict[Name, Object] = field(default_factory=dict)


class Storage:
    """All objects of all kinds. Not for threads: only the event loop's own may use it."""

    def __init__(self, on_change: Callable[[Resource, Change], None], log_limit: int) -> None:
        self.revision = 1
        self._on_change = on_change
        self._log_limit = log_limit
        self._collections: dict[str, Collection] = {}
        self._places: dict[str, tuple[str, Name]] = {}
        self._owned: dict[str, set[tuple[str, Name]]] = defaultdict(set)

    def serve(self, resource: Resource) -> None:
        """Make room for a kind, or go on with one whose definition has changed."""
        key = resource.qualified_plural
        if key in self._collections:
            self._collections[key].resource = resource
        else:
            self._collections[key] = Collection(resource, ChangeLog(self.revision, self._log_limit))

    def forget(self, resource: Resource) -> None:
        """Serve this kind, which has no objects left, no more."""
        del self._collections[resource.qualified_plural]

    @property
    def resources(self) -> list[Resource]:
        """The kinds there are."""
        return [found.resource for found in self._collections.values()]

    def log(self, resource: Resource) -> ChangeLog:
        """Return the kind's changes."""
        return self._collections[resource.qualified_plural].log

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Return an object, or None."""
        return self._collections[resource.qualified_plural].objects.get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Return the kind's objects by namespace and name, of one namespace if it is given."""
        found = sorted(self._collections[resource.qualified_plural].objects.items())
        return [each for name, each in found if namespace in ("", name[0])]

    def with_uid(self, uid: str) -> tuple[Resource, Object] | None:
        """Return the object that has this uid, or None."""
        return self._at(*self._places[uid]) if uid in self._places else None

    def owned_by(self, uid: str) -> list[tuple[Resource, Object]]:
        """Return the objects with an owner reference to this uid."""
        return [self._at(key, name) for key, name in sorted(self._owned.get(uid, ()))]

    def _at(self, key: str, name: Name) -> tuple[Resource, Object]:
        collection = self._collections[key]
        return collection.resource, collection.objects[name]

    def put(self, resource: Resource, content: Object) -> Object:
        """Store an object under a new revision and return it."""
        new = self._at_next_revision(content)
        name = _name(new)
        objects = self._collections[resource.qualified_plural].objects
        old = objects.get(name)
        if old:
            self._unindex(resource, old)
        objects[name] = new
        self._places[new["metadata"]["uid"]] = (resource.qualified_plural, name)
        for uid in _owners(new):
            self._owned[uid].add((resource.qualified_plural, name))
        self._announce(resource, Change("MODIFIED" if old else "ADDED", self.revision, old, new))
        return new

    def remove(self, resource: Resource, content: Object) -> None:
        """Delete an object, whatever its finalizers; watches see it as it was stored."""
        name = _name(content)
        old = self._collections[resource.qualified_plural].objects.pop(name)
        last = self._at_next_revision(old)
        self._unindex(resource, old)
        self._announce(resource, Change("DELETED", self.revision, old, last))

    def _at_next_revision(self, content: Object) -> Object:
        self.revision += 1
        metadata = {**content["metadata"], "resourceVersion": str(self.revision)}
        return {**content, "metadata": metadata}

    def _announce(self, resource: Resource, change: Change) -> None:
        self.log(resource).append(change)
        self._on_change(resource, change)

    def _unindex(self, resource: Resource, content: Object) -> None:
        self._places.pop(content["metadata"]["uid"], None)
        for uid in _owners(content):
            self._owned[uid].discard((resource.qualified_plural, _name(content)))
            if not self._owned[uid]:
                del self._owned[uid]


def _name(content: Object) -> Name:
    return content["metadata"].get("namespace", ""), content["metadata"]["name"]


def _owners(content: Object) -> set[str]:
    return {owner["uid"] for owner in content["metadata"].get("ownerReferences") or ()}
