"""A watch sees the same from the real API server and the emulator."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from integration.apiserver.clients import GROUP, Http, Widgets, a_widget

pytestmark = pytest.mark.integration

Event = dict[str, Any]


def told(events: Iterator[Event], count: int) -> list[tuple[str, str]]:
    """Take so many events and give what they say about which object."""
    return [(event["type"], event["object"]["metadata"]["name"]) for event in islice(events, count)]


def version_of(widgets: Widgets) -> str:
    return str(widgets.list().ok["metadata"]["resourceVersion"])


def test_changes_after_a_version_are_told_in_order(widgets: Widgets) -> None:
    widgets.create(a_widget("before")).check()
    start = version_of(widgets)
    widgets.create(a_widget("a")).check()
    widgets.patch({"spec": {"size": 2}}, "a").check()
    widgets.patch({"status": {"phase": "Running"}}, "a", "status").check()
    widgets.create(a_widget("b")).check()
    widgets.delete("a").check()

    events = list(islice(widgets.watch(resourceVersion=start), 5))

    assert told(iter(events), 5) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("MODIFIED", "a"),
        ("ADDED", "b"),
        ("DELETED", "a"),
    ]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))
    assert events[2]["object"]["status"] == {"phase": "Running"}
    assert events[4]["object"]["spec"]["size"] == 2


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}], ids=["none", "zero"])
def test_without_a_version_what_is_there_comes_first(
    widgets: Widgets, query: dict[str, str]
) -> None:
    for name in ("a", "b"):
        widgets.create(a_widget(name)).check()
    events = widgets.watch(**query)

    assert told(events, 2) == [("ADDED", "a"), ("ADDED", "b")]
    widgets.create(a_widget("c")).check()
    assert told(events, 1) == [("ADDED", "c")]


def test_a_version_that_is_too_old_is_gone(widgets: Widgets) -> None:
    events = list(widgets.watch(resourceVersion=1))

    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
    assert events[0]["object"]["reason"] == "Expired"


def test_an_object_that_stops_matching_arrives_as_deleted(widgets: Widgets) -> None:
    widgets.create(a_widget()).check()
    start = version_of(widgets)
    for phase in ("Running", "Ended", "Running"):
        widgets.patch({"status": {"phase": phase}}, "one", "status").check()

    events = list(
        islice(widgets.watch(resourceVersion=start, fieldSelector="status.phase=Running"), 3)
    )

    assert [(event["type"], event["object"]["status"]["phase"]) for event in events] == [
        ("ADDED", "Running"),
        ("DELETED", "Running"),
        ("ADDED", "Running"),
    ]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_a_watch_follows_labels(widgets: Widgets) -> None:
    start = version_of(widgets)
    widgets.create(a_widget()).check()
    for labels in ({"a": "1"}, {"a": "1", "b": "2"}, {"a": None}):
        widgets.patch({"metadata": {"labels": labels}}).check()
    widgets.delete().check()

    events = widgets.watch(resourceVersion=start, labelSelector="a=1")

    assert [kind for kind, _ in told(events, 3)] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_sees_its_own_namespace_only(widgets: Widgets, http: Http) -> None:
    start = version_of(widgets)
    Widgets(http, "default").create(a_widget(widgets.namespace)).check()
    widgets.create(a_widget("here")).check()

    everywhere = http.watch(f"/apis/{GROUP}/v1/widgets", {"resourceVersion": start})

    assert told(widgets.watch(resourceVersion=start), 1) == [("ADDED", "here")]
    assert told(everywhere, 2) == [("ADDED", widgets.namespace), ("ADDED", "here")]


def test_a_finalizer_shows_both_steps_of_a_deletion(widgets: Widgets) -> None:
    body = a_widget() | {"metadata": {"name": "one", "finalizers": ["tests.batchtask.dev/held"]}}
    widgets.create(body).check()
    start = version_of(widgets)
    widgets.delete().check()
    widgets.patch({"metadata": {"finalizers": []}}).check()

    events = list(islice(widgets.watch(resourceVersion=start), 2))

    assert [event["type"] for event in events] == ["MODIFIED", "DELETED"]
    for event in events:  # the last one, too, is told as it was before the finalizer went
        assert event["object"]["metadata"]["deletionTimestamp"]
        assert event["object"]["metadata"]["finalizers"] == ["tests.batchtask.dev/held"]


def test_a_watch_ends_in_time_and_marks_how_far_it_came(widgets: Widgets) -> None:
    start = version_of(widgets)
    widgets.create(a_widget("a")).check()
    query = {"resourceVersion": start, "timeoutSeconds": "4", "allowWatchBookmarks": "true"}
    events = widgets.watch(**query)

    assert told(events, 1) == [("ADDED", "a")]
    # A real server sends no bookmark to a watch during which nothing happened.
    last = widgets.create(a_widget("b")).ok
    assert told(events, 1) == [("ADDED", "b")]
    marks = list(events)
    assert {mark["type"] for mark in marks} == {"BOOKMARK"}
    assert marks[-1]["object"]["kind"] == "Widget"
    version = marks[-1]["object"]["metadata"]["resourceVersion"]
    assert int(version) >= int(last["metadata"]["resourceVersion"])


def test_a_bookmark_is_a_place_to_go_on_from(widgets: Widgets) -> None:
    widgets.create(a_widget("a")).check()
    start = version_of(widgets)
    widgets.create(a_widget("b")).check()
    [first] = islice(widgets.watch(resourceVersion=start), 1)
    widgets.create(a_widget("c")).check()

    again = widgets.watch(resourceVersion=first["object"]["metadata"]["resourceVersion"])

    assert told(again, 1) == [("ADDED", "c")]


def test_a_list_can_be_streamed_and_is_marked_at_its_end(widgets: Widgets) -> None:
    widgets.create(a_widget("a")).check()
    last = widgets.create(a_widget("b")).ok
    query = {"allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    events = widgets.watch(sendInitialEvents="true", **query)

    assert told(events, 2) == [("ADDED", "a"), ("ADDED", "b")]
    mark = next(events)
    assert mark["type"] == "BOOKMARK"
    metadata = mark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(metadata["resourceVersion"]) >= int(last["metadata"]["resourceVersion"])
    widgets.create(a_widget("c")).check()
    assert told(events, 1) == [("ADDED", "c")]
