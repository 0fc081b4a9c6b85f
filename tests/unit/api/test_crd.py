"""The CRD says what the pydantic models say."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from batchtask_api import (
    AirflowIdentity,
    Attempt,
    BatchTaskSpec,
    BatchTaskStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    DeletionPolicy,
    Phase,
    Submission,
    Workload,
    names,
    submit_job,
)
from batchtask_api.crd import custom_resource_definition
from batchtask_api.rules import SPEC_RULES, TASK_RULES, Rule

CRD = custom_resource_definition(submit_job.schema())
VERSION: dict[str, Any] = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]

APPLY_LIMIT = 262_144
"""Bytes of all annotations: kubectl apply keeps a copy of the object in one."""

MODELS = (
    (BatchTaskSpec, ".spec"),
    (Workload, ".spec.workload"),
    (AirflowIdentity, ".spec.airflow"),
    (BatchTaskStatus, ".status"),
    (Submission, ".status.submission"),
    (Attempt, ".status.attempts[]"),
    (Condition, ".status.conditions[]"),
)
FIELDS = [
    pytest.param(model, name, f"{path}.{field.alias}", id=f"{path}.{field.alias}")
    for model, path in MODELS
    for name, field in model.model_fields.items()
]


def node(path: str) -> dict[str, Any]:
    """The part of the schema that describes this path (`.a.b[].c`)."""
    found = SCHEMA
    for name in filter(None, path.split(".")):
        found = found["properties"][name.removesuffix("[]")]
        found = found["items"] if name.endswith("[]") else found
    return found


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    children = [*schema.get("properties", {}).values(), schema.get("items")]
    for child in [*children, schema.get("additionalProperties")]:
        if child is not None:
            yield from nodes(child)


@pytest.mark.parametrize(("model", "name", "path"), FIELDS)
def test_a_fields_description_and_default_are_the_models(
    model: type[BaseModel], name: str, path: str
) -> None:
    field = model.model_fields[name]

    assert field.description
    assert node(path)["description"] == field.description
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    assert node(path).get("default") == (list(default) if default == () else default)


@pytest.mark.parametrize(("model", "path"), MODELS)
def test_a_models_fields_are_all_there_and_as_required(model: type[BaseModel], path: str) -> None:
    fields = model.model_fields.values()

    assert list(node(path)["properties"]) == [field.alias for field in fields]
    required = [field.alias for field in fields if field.is_required()]
    assert node(path).get("required", []) == required


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".status.phase", Phase),
        (".status.conditions[].type", ConditionType),
        (".status.conditions[].status", ConditionStatus),
        (".spec.deletionPolicy", DeletionPolicy),
    ],
)
def test_our_enums_are_listed(path: str, values: type[Phase]) -> None:
    assert node(path)["enum"] == [value.value for value in values]


def test_no_other_field_has_an_enum() -> None:
    assert sum("enum" in found for found in nodes(SCHEMA)) == 4


def test_the_schema_is_structural() -> None:
    for found in nodes(SCHEMA):
        assert found["type"] in {"object", "array", "string", "integer", "number", "boolean"}
        assert not {"$ref", "anyOf", "oneOf", "nullable", "title"} & found.keys()


def test_every_integer_has_a_size() -> None:
    integers = [found for found in nodes(SCHEMA) if found["type"] == "integer"]

    assert {found["format"] for found in integers} == {"int32", "int64"}


def test_a_phase_shows_from_the_creation_on() -> None:
    assert node(".status")["default"] == {}
    assert node(".status.phase")["default"] == Phase.PENDING


def test_conditions_are_keyed_by_their_type() -> None:
    assert node(".status.conditions")["x-kubernetes-list-type"] == "map"
    assert node(".status.conditions")["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("column", VERSION["additionalPrinterColumns"], ids=lambda c: c["name"])
def test_a_column_shows_a_field_that_is_there(column: dict[str, Any]) -> None:
    path = re.sub(r"\[\?\(.*?\)\]", "[]", column["jsonPath"])

    if path == ".metadata.creationTimestamp":
        assert column["type"] == "date"
    else:
        assert node(path)["type"] == column["type"]


@pytest.mark.parametrize("field", VERSION["selectableFields"], ids=lambda f: f["jsonPath"])
def test_a_selectable_field_is_a_string_that_is_there(field: dict[str, str]) -> None:
    assert node(field["jsonPath"])["type"] == "string"


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        *(pytest.param(".spec", rule, id=rule.field) for rule in SPEC_RULES),
        *(pytest.param("", rule, id=rule.field) for rule in TASK_RULES),
    ],
)
def test_a_rule_names_its_field_and_the_way_out(place: str, rule: Rule) -> None:
    path = f"{place}{rule.field}"

    assert node(path)
    assert path.removeprefix(".") in rule.message.replace("[]", "")
    assert re.search(
        r"create another BatchTask|remove one of the two|give the Secret", rule.message
    )
    assert rule.to_json() in node(place)["x-kubernetes-validations"]


def test_a_rule_of_the_object_itself_has_no_field() -> None:
    assert Rule("", "true", "never").to_json() == {
        "rule": "true",
        "message": "never",
        "reason": "FieldValueForbidden",
    }


def test_lists_that_rules_walk_through_are_bounded_and_no_others() -> None:
    assert node(".spec.job.ecsPropertiesOverride.taskProperties")["maxItems"] == 10
    assert node(".spec.job.ecsPropertiesOverride.taskProperties[].containers")["maxItems"] == 100
    pod = ".spec.job.eksPropertiesOverride.podProperties"
    assert node(f"{pod}.containers")["maxItems"] == 100
    assert sum("maxItems" in found for found in nodes(SCHEMA)) == 3


def test_names_are_those_of_the_api() -> None:
    assert CRD["metadata"]["name"] == "batchtasks.batchtask.dev"
    assert f"{CRD['spec']['group']}/{VERSION['name']}" == names.API_VERSION
    assert CRD["spec"]["names"] == {
        "kind": "BatchTask",
        "listKind": "BatchTaskList",
        "plural": "batchtasks",
        "singular": "batchtask",
        "shortNames": ["bt"],
        "categories": ["airflow"],
    }


def test_kubectl_apply_can_keep_its_copy() -> None:
    assert len(json.dumps(CRD, ensure_ascii=False).encode()) < APPLY_LIMIT / 2
