"""The CustomResourceDefinition of BatchTask, made from its pydantic models."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from batchtask_api import names
from batchtask_api.batchtask import BatchTask, BatchTaskSpec, BatchTaskStatus
from batchtask_api.phase import ConditionType
from batchtask_api.rules import (
    MAX_CONTAINERS,
    MAX_TASK_PROPERTIES,
    SPEC_RULES,
    TASK_RULES,
    Rule,
)
from batchtask_api.structural import structural_schema

NAME: Final = f"{names.PLURAL}.{names.GROUP}"

SELECTABLE_FIELDS: Final = (".spec.airflow.dagId", ".status.phase", ".spec.job.jobQueue")

_REASON = f'.status.conditions[?(@.type=="{ConditionType.SUCCEEDED}")].reason'
_COLUMNS: Final = (
    # name, type, JSONPath, priority (1: with -o wide only)
    ("DAG", "string", ".spec.airflow.dagId", 0),
    ("Task", "string", ".spec.airflow.taskId", 0),
    ("Run", "string", ".spec.airflow.runId", 0),
    ("Try", "integer", ".spec.airflow.tryNumber", 0),
    ("Phase", "string", ".status.phase", 0),
    ("Job ID", "string", ".status.jobId", 0),
    ("Reason", "string", _REASON, 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Queue", "string", ".spec.job.jobQueue", 1),
    ("Exit Code", "integer", ".status.exitCode", 1),
    ("Log Stream", "string", ".status.logStreamName", 1),
)


def custom_resource_definition(job: Mapping[str, Any]) -> dict[str, Any]:
    """Build the CRD around the structural schema of `spec.job`, which `submit_job.schema` gives."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
                "categories": [names.CATEGORY],
            },
            "versions": [_version(job)],
        },
    }


def _version(job: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": path} for path in SELECTABLE_FIELDS],
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path}
            | ({"priority": priority} if priority else {})
            for name, kind, path, priority in _COLUMNS
        ],
        "schema": {"openAPIV3Schema": task_schema(job)},
    }


def task_schema(job: Mapping[str, Any]) -> dict[str, Any]:
    """Build the structural schema of a whole BatchTask."""
    spec = structural_schema(BatchTaskSpec)
    spec["properties"]["job"] = bounded(job) | {
        "description": spec["properties"]["job"]["description"]
    }
    spec["x-kubernetes-validations"] = _validations(SPEC_RULES)
    status = structural_schema(BatchTaskStatus)
    # Of itself `phase` has a default only inside a status that is there.
    status["default"] = {}
    return {
        "type": "object",
        "description": BatchTask.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of this schema."},
            "kind": {"type": "string", "description": "BatchTask."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        "x-kubernetes-validations": _validations(TASK_RULES),
    }


def bounded(job: Mapping[str, Any]) -> dict[str, Any]:
    """Give the lists that a CEL rule walks through a length, else its cost has no bound."""
    tasks = ("ecsPropertiesOverride", "taskProperties")
    pod = ("eksPropertiesOverride", "podProperties")
    bounds = (
        (tasks, MAX_TASK_PROPERTIES),
        ((*tasks, "containers"), MAX_CONTAINERS),
        ((*pod, "containers"), MAX_CONTAINERS),
    )
    found = dict(job)
    for path, most in bounds:
        found = _with_length(found, path, most)
    return found


def _with_length(node: Mapping[str, Any], path: Sequence[str], most: int) -> dict[str, Any]:
    if node["type"] == "array" and path:
        return {**node, "items": _with_length(node["items"], path, most)}
    if not path:
        return {**node, "maxItems": most}
    name, *rest = path
    child = _with_length(node["properties"][name], rest, most)
    return {**node, "properties": {**node["properties"], name: child}}


def _validations(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    return [rule.to_json() for rule in rules]
