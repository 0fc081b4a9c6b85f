"""The emulator's storage, its log of changes, and watches over it."""

import asyncio
from typing import Any

import pytest

from batchtask_local.apiserver.emulator.errors import StatusError
from batchtask_local.apiserver.emulator.resources import CONFIG_MAPS, SECRETS, Resource
from batchtask_local.apiserver.emulator.selectors import selector
from batchtask_local.apiserver.emulator.storage import Change, Storage
from batchtask_local.apiserver.emulator.watch import Watch, events


class Changes:
    """What a storage announced."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []

    def notice(self, resource: Resource, change: Change) -> None:
        self.seen.append((resource.plural, change.type, change.revision))


def content(
    name: str, uid: str = "", owners: tuple[str, ...] = (), **labels: str
) -> dict[str, Any]:
    references = [{"uid": owner} for owner in owners]
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "uid": uid or f"uid-{name}",
            "labels": labels,
            **({"ownerReferences": references} if references else {}),
        }
    }


def a_storage(limit: int = 100) -> tuple[Storage, Changes]:
    changes = Changes()
    storage = Storage(changes.notice, limit)
    for resource in (SECRETS, CONFIG_MAPS):
        storage.serve(resource)
    return storage, changes


def test_one_counter_numbers_all_kinds() -> None:
    storage, changes = a_storage()
    start = storage.revision

    storage.put(SECRETS, content("a"))
    storage.put(CONFIG_MAPS, content("a", "other"))
    storage.put(SECRETS, content("a"))
    storage.remove(SECRETS, content("a"))

    assert changes.seen == [
        ("secrets", "ADDED", start + 1),
        ("configmaps", "ADDED", start + 2),
        ("secrets", "MODIFIED", start + 3),
        ("secrets", "DELETED", start + 4),
    ]
    assert storage.find(SECRETS, "n", "a") is None
    assert storage.with_uid("uid-a") is None
    assert storage.with_uid("other")


def test_what_is_owned_is_found_by_its_owner() -> None:
    storage, _ = a_storage()
    storage.put(SECRETS, content("a", owners=("x", "y")))
    storage.put(CONFIG_MAPS, content("b", owners=("x",)))
    storage.put(SECRETS, content("a", owners=("y",)))

    def owned(uid: str) -> list[str]:
        return [found["metadata"]["name"] for _, found in storage.owned_by(uid)]

    assert (owned("x"), owned("y"), owned("z")) == (["b"], ["a"], [])
    storage.remove(SECRETS, content("a"))
    assert owned("y") == []


def test_a_log_forgets_its_beginning_and_says_so() -> None:
    storage, _ = a_storage(limit=3)
    start = storage.revision
    for _ in range(7):
        storage.put(SECRETS, content("a"))

    with pytest.raises(StatusError, match="too old resource version") as gone:
        storage.log(SECRETS).since(start)

    assert gone.value.code == 410
    kept = storage.log(SECRETS).since(storage.revision - 3)
    assert [change.revision for change in kept] == [start + 5, start + 6, start + 7]
    assert storage.log(SECRETS).since(storage.revision) == []


def a_watch(storage: Storage, labels: str = "", seconds: float = 5) -> Watch:
    return Watch(
        SECRETS,
        "n",
        selector(SECRETS, labels, ""),
        storage.revision,
        with_bookmarks=False,
        seconds=seconds,
    )


async def test_a_watch_wakes_at_a_change() -> None:
    storage, _ = a_storage()
    stream = events(storage, a_watch(storage))
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)

    storage.put(SECRETS, content("a"))

    async with asyncio.timeout(2):
        event = await waiting
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
    await stream.aclose()


async def test_a_watch_that_cannot_keep_up_is_told_so() -> None:
    storage, _ = a_storage(limit=2)
    stream = events(storage, a_watch(storage))
    storage.put(SECRETS, content("a"))
    assert (await anext(stream))["type"] == "ADDED"

    for _ in range(10):
        storage.put(SECRETS, content("a"))
    rest = [event async for event in stream]

    assert [event["type"] for event in rest] == ["ERROR"]
    assert rest[0]["object"]["code"] == 410


async def test_changes_while_others_are_told_are_told_too() -> None:
    storage, _ = a_storage()
    stream = events(storage, a_watch(storage))
    storage.put(SECRETS, content("a"))
    storage.put(SECRETS, content("b"))

    async with asyncio.timeout(2):
        first = await anext(stream)
        storage.put(SECRETS, content("c"))
        told = [first, await anext(stream), await anext(stream)]

    assert [event["object"]["metadata"]["name"] for event in told] == ["a", "b", "c"]
    await stream.aclose()


async def test_a_watch_ends_in_its_time() -> None:
    storage, _ = a_storage()

    async with asyncio.timeout(2):
        seen = [event async for event in events(storage, a_watch(storage, seconds=0.05))]

    assert seen == []


async def test_a_change_out_of_sight_is_not_told() -> None:
    storage, _ = a_storage()
    watch = a_watch(storage, labels="shown=yes", seconds=0.05)
    storage.put(SECRETS, content("a"))
    storage.put(SECRETS, content("b", shown="yes"))
    storage.put(SECRETS, content("b", shown="no"))
    storage.remove(SECRETS, content("b"))

    seen = [event async for event in events(storage, watch)]

    told = [(event["type"], event["object"]["metadata"]["labels"]) for event in seen]
    assert told == [("ADDED", {"shown": "yes"}), ("DELETED", {"shown": "yes"})]
