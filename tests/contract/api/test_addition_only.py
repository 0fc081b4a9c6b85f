"""v1alpha1 grows by addition only: what it once took it takes for ever.

The objects in objects/v1alpha1/ are never changed and never removed. A new field is added to a new
object beside them; the last test asks for it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchtask_api import BatchTask

OBJECTS = sorted((Path(__file__).parent / "objects" / "v1alpha1").glob("*.yaml"))


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


@pytest.mark.parametrize("file", OBJECTS, ids=lambda file: file.stem)
def test_an_object_of_an_earlier_version_is_taken(file: Path, refusals: Any) -> None:
    assert refusals(read(file)) == []


@pytest.mark.parametrize("file", OBJECTS, ids=lambda file: file.stem)
def test_an_object_of_an_earlier_version_is_read_and_written_back_whole(file: Path) -> None:
    document = read(file)

    written = BatchTask.from_json(document).to_json()

    assert missing(document["spec"], written["spec"]) == []
    assert missing(document.get("status", {}), written["status"]) == []


def missing(value: Any, written: Any, path: str = "") -> list[str]:
    """Where the written object lacks what the value has; it may have defaults beside that."""
    if isinstance(value, Mapping):
        return [
            lost
            for name, child in value.items()
            for lost in (
                missing(child, written[name], f"{path}.{name}")
                if name in written
                else [f"{path}.{name}"]
            )
        ]
    if isinstance(value, list) and len(value) == len(written):
        pairs = zip(value, written, strict=True)
        return [lost for pair in pairs for lost in missing(*pair, f"{path}[]")]
    return [] if value == written else [path]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"unknown": 1}, r"$.spec.job: "),
        ({"jobQueue": 1}, r"$.spec.job.jobQueue: "),
        ({"containerOverrides": {"commands": []}}, "$.spec.job.containerOverrides: "),
    ],
)
def test_the_judge_refuses(change: dict[str, object], place: str, refusals: Any) -> None:
    document = read(OBJECTS[0])

    (refusal,) = refusals(document | {"spec": {"job": document["spec"]["job"] | change}})

    assert refusal.startswith(place)


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from fields(child, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def used(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield f"{path}.{name}"
            yield from used(child, f"{path}.{name}")
    elif isinstance(value, list):
        for child in value:
            yield from used(child, f"{path}[]")


def test_every_field_is_in_some_object(schema: dict[str, Any]) -> None:
    seen = {path for file in OBJECTS for path in used(read(file))}

    assert sorted(set(fields(schema)) - seen) == []
