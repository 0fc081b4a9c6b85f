"""submit_job.json agrees with the botocore that is installed, all the way down."""

from collections.abc import Iterator
from typing import Any, cast

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from batchtask_api import submit_job

TYPES = {
    "structure": ("object", None),
    "map": ("object", None),
    "list": ("array", None),
    "string": ("string", None),
    "integer": ("integer", "int32"),
    "long": ("integer", "int64"),
    "boolean": ("boolean", None),
}


def request() -> StructureShape:
    model = botocore.session.get_session().get_service_model("batch").operation_model("SubmitJob")
    return cast("StructureShape", model.input_shape)


def members(shape: StructureShape, path: str) -> dict[str, Shape]:
    return {
        name: member for name, member in shape.members.items() if (path, name) != ("", "jobName")
    }


def walk(shape: Shape, path: str = "") -> Iterator[tuple[str, Shape]]:
    """Every part of the request, by its path (`.a[].b{}`)."""
    yield path, shape
    if isinstance(shape, StructureShape):
        for name, member in members(shape, path).items():
            yield from walk(member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        yield from walk(shape.member, f"{path}[]")
    elif isinstance(shape, MapShape):
        yield from walk(shape.value, f"{path}{{}}")


def paths(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of our schema, by its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from paths(child, f"{path}.{name}")
    if "items" in schema:
        yield from paths(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from paths(schema["additionalProperties"], f"{path}{{}}")


OURS = dict(paths(submit_job.schema()))
THEIRS = dict(walk(request()))


def test_it_has_the_very_fields_of_the_request() -> None:
    assert OURS.keys() == THEIRS.keys()
    assert len(THEIRS) > 150


@pytest.mark.parametrize("path", [path or "." for path in THEIRS])
def test_a_field_has_the_models_type_requirements_and_words(path: str) -> None:
    ours, theirs = OURS[path.removesuffix(".")], THEIRS[path.removesuffix(".")]

    assert (ours["type"], ours.get("format")) == TYPES[theirs.type_name]
    required = set(theirs.required_members) if isinstance(theirs, StructureShape) else set()
    assert set(ours.get("required", ())) == required - ({"jobName"} if path == "." else set())
    assert bool(ours.get("description")) == bool(theirs.documentation)
    assert "<" not in ours.get("description", "")
    for value in getattr(theirs, "enum", ()):
        assert value in ours["description"]


def test_what_botocore_takes_the_schema_takes(refusals: Any) -> None:
    job = {path: sample(shape) for path, shape in top_level(request()).items()}

    report = ParamValidator().validate(job | {"jobName": "n"}, request())

    assert report.generate_report() == ""
    task = {"apiVersion": "batchtask.dev/v1alpha1", "kind": "BatchTask", "spec": {"job": job}}
    assert refusals(task) == []


def top_level(shape: StructureShape) -> dict[str, Shape]:
    return members(shape, "")


def sample(shape: Shape) -> object:
    """A value with every field that the shape has."""
    match shape:
        case StructureShape():
            return {name: sample(member) for name, member in shape.members.items()}
        case ListShape():
            return [sample(shape.member)]
        case MapShape():
            return {"key": sample(shape.value)}
        case _:
            return {"string": "s", "integer": 1, "long": 1, "boolean": True}[shape.type_name]
