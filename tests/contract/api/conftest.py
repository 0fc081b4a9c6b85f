"""The generated CRD, and what its schema refuses, without an API server."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

ROOT = Path(__file__).parents[3]

Refusals = Callable[[object], list[str]]


@pytest.fixture(scope="session")
def crd() -> dict[str, Any]:
    """manifests/crd.yaml as it is on disk."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "manifests" / "crd.yaml").read_text("utf-8"))
    return found


@pytest.fixture(scope="session")
def schema(crd: dict[str, Any]) -> dict[str, Any]:
    """The structural schema of v1alpha1."""
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


@pytest.fixture(scope="session")
def refusals(schema: dict[str, Any]) -> Refusals:
    """Say where the schema refuses an object, unknown fields included; CEL is not asked."""
    judge = jsonschema.Draft7Validator(strict(schema))

    def say(document: object) -> list[str]:
        return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(document)]

    return say


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Make the schema refuse unknown fields, as fieldValidation=Strict does."""
    found = dict(schema)
    if "properties" in schema:
        found["properties"] = {name: strict(node) for name, node in schema["properties"].items()}
        found["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), Mapping):
        found["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        found["items"] = strict(schema["items"])
    return found
