"""What a watch gets to see: changes, as they look through its selector."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from batchtask_local.apiserver.emulator.errors import StatusError
from batchtask_local.apiserver.emulator.resources import Object, Resource
from batchtask_local.apiserver.emulator.selectors import Test
from batchtask_local.apiserver.emulator.storage import Change, Storage

BOOKMARK_SECONDS = 10.0
FOREVER_SECONDS = 3600.0

Event = dict[str, Any]


@dataclass(frozen=True)
class Watch:
    """What a client wants to see, from which revision on (0: all there is, first), how long.

    `marks_start` asks for a bookmark behind what there is (the client sends sendInitialEvents).
    """

    resource: Resource
    namespace: str
    matches: Test
    revision: int
    with_bookmarks: bool
    marks_start: bool = False
    seconds: float = FOREVER_SECONDS
    clock: Callable[[], float] = time.monotonic


async def events(storage: Storage, watch: Watch) -> AsyncGenerator[Event, None]:
    """Yield the watch's events until its time is over or its revision is too old."""
    position, end = watch.revision or storage.revision, watch.clock() + watch.seconds
    log = storage.log(watch.resource)
    # A list, since the storage may change while these are told.
    for event in list(_initial(storage, watch)):
        yield event
    marked = watch.clock()
    while (now := watch.clock()) < end:
        newest = storage.revision  # there may be newer ones by the time that these are told
        try:
            changes = log.since(position)
        except StatusError as error:
            yield {"type": "ERROR", "object": error.body()}
            return
        for event in (event for change in changes for event in _seen(watch, change)):
            yield event
        position = max(position, newest)
        if watch.with_bookmarks and now - marked >= BOOKMARK_SECONDS:
            marked = now
            yield _bookmark(watch.resource, position)
        elif not changes:
            await log.wait(min(end - now, BOOKMARK_SECONDS))
    if watch.with_bookmarks:
        yield _bookmark(watch.resource, position)


def _initial(storage: Storage, watch: Watch) -> Iterator[Event]:
    for content in () if watch.revision else storage.all(watch.resource, watch.namespace):
        if watch.matches(content):
            yield {"type": "ADDED", "object": content}
    if watch.marks_start:
        mark = {"k8s.io/initial-events-end": "true"}
        yield _bookmark(watch.resource, storage.revision, mark)


def _seen(watch: Watch, change: Change) -> Iterator[Event]:
    if watch.namespace not in ("", change.new["metadata"].get("namespace", "")):
        return
    before = change.old is not None and watch.matches(change.old)
    after = change.type != "DELETED" and watch.matches(change.new)
    if after:
        yield {"type": "MODIFIED" if before else "ADDED", "object": change.new}
    elif before:
        yield {"type": "DELETED", "object": _last_seen(change)}


def _last_seen(change: Change) -> Object:
    """Return what the client knew; an object that only stopped matching is told as it was."""
    if change.type == "DELETED" or change.old is None:
        return change.new
    metadata = {**change.old["metadata"], "resourceVersion": str(change.revision)}
    return {**change.old, "metadata": metadata}


def _bookmark(
    resource: Resource, revision: int, annotations: Mapping[str, str] | None = None
) -> Event:
    metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    content = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return {"type": "BOOKMARK", "object": content}
