"""Cells of kubectl's tables: what a JSONPath finds, and how old something is."""

import datetime as dt
from typing import Any

import pytest

from batchtask_local.apiserver.emulator.resources import EVENTS, SECRETS, Column, Resource
from batchtask_local.apiserver.emulator.table import found_at, human_duration, table

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CONTENT: dict[str, Any] = {
    "metadata": {"name": "one", "labels": {"batchtask.dev/dag-id": "etl"}},
    "spec": {"n": 3, "on": True, "list": [{"k": "a", "v": 1}, {"k": "b", "v": 2}], "no": None},
    "status": {
        "startedAt": "2025-12-31T23:00:00Z",
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Done", "status": "False", "reason": "Busy"},
        ],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.n", [3]),
        (".spec.list[0].k", ["a"]),
        (".spec.list[*].v", [1, 2]),
        (".spec.list[7].k", []),
        (".spec.nothing.at.all", []),
        (".spec.n.deeper", []),
        (r".metadata.labels.batchtask\.dev/dag-id", ["etl"]),
        (".metadata.labels['batchtask.dev/dag-id']", ["etl"]),
        ('.status.conditions[?(@.type=="Done")].reason', ["Busy"]),
        (".status.conditions[?(@.type == 'Ready')].status", ["True"]),
        ('.status.conditions[?(@.type=="None")].status', []),
        (".spec[broken", []),
    ],
)
def test_a_path_finds(path: str, found: list[Any]) -> None:
    assert found_at(CONTENT, path) == found


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (Column("N", ".spec.n", type="integer"), 3),
        (Column("N", ".spec.n"), "3"),
        (Column("On", ".spec.on"), "true"),
        (Column("On", ".spec.on", type="boolean"), True),
        (Column("No", ".spec.no"), None),
        (Column("Started", ".status.startedAt", type="date"), "60m"),
        (Column("Name", ".metadata.name", type="date"), "<invalid>"),
        (Column("Count", "count(.spec.list)"), 2),
    ],
)
def test_a_cell_is_of_its_columns_type(column: Column, cell: Any) -> None:
    resource = Resource("", "v1", "things", "Thing", {}, columns=(column,))

    made = table(resource, [CONTENT], revision="7", include="None", now=NOW)

    assert made["rows"] == [{"cells": [cell]}]
    assert made["metadata"] == {"resourceVersion": "7"}


def test_a_row_brings_as_much_of_its_object_as_is_asked_for() -> None:
    def rows(include: str) -> Any:
        return table(SECRETS, [CONTENT], revision="1", include=include, now=NOW)["rows"][0]

    assert rows("Object")["object"] == CONTENT
    assert rows("Metadata")["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": CONTENT["metadata"],
    }
    assert "object" not in rows("None")


def test_columns_may_be_left_out() -> None:
    made = table(EVENTS, [], revision="1", include="None", now=NOW, with_columns=False)

    assert made["columnDefinitions"] == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (10860, "3h1m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (176400, "2d1h"),
        (691200, "8d"),
        (63071999, "729d"),
        (63072000, "2y"),
    ],
)
def test_an_age_gets_coarser(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text
