"""The kinds' schemas as OpenAPI v3: `kubectl explain` prints them, `kubectl apply` needs them."""

from collections.abc import Sequence
from typing import Any

from batchtask_local.apiserver.emulator.errors import unknown_path
from batchtask_local.apiserver.emulator.resources import METADATA, STRING, Object, Resource

METADATA_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def index(resources: Sequence[Resource]) -> Object:
    """Return /openapi/v3."""
    paths = {_prefix(each).removeprefix("/") for each in resources}
    told = {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in sorted(paths)}
    return {"paths": told}


def document(resources: Sequence[Resource], path: str) -> Object:
    """Return /openapi/v3/<path>, the kinds of one API version."""
    found = [each for each in resources if _prefix(each) == f"/{path}"]
    if not found:
        raise unknown_path()
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "emulator"},
        "paths": {key: item for each in found for key, item in _paths(each).items()},
        "components": {
            "schemas": {METADATA_NAME: METADATA, **{_name(each): _schema(each) for each in found}}
        },
    }


def _prefix(resource: Resource) -> str:
    return f"/{'apis' if resource.group else 'api'}/{resource.api_version}"


def _name(resource: Resource) -> str:
    domain = ".".join(reversed(resource.group.split("."))) or "io.k8s.api.core"
    return f"{domain}.{resource.version}.{resource.kind}"


def _identity(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _schema(resource: Resource) -> Object:
    reference = {"allOf": [{"$ref": f"#/components/schemas/{METADATA_NAME}"}]}
    return {
        **resource.schema,
        "properties": {
            "apiVersion": STRING,
            "kind": STRING,
            "metadata": reference,
            **resource.schema.get("properties", {}),
        },
        "x-kubernetes-group-version-kind": [_identity(resource)],
    }


def _paths(resource: Resource) -> Object:
    place = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{_prefix(resource)}{place}/{resource.plural}"
    reference = {"schema": {"$ref": f"#/components/schemas/{_name(resource)}"}}

    def operation(action: str) -> dict[str, Any]:
        return {
            "operationId": f"{action}{resource.kind}",
            "parameters": [
                {"name": name, "in": "query", "schema": STRING}
                for name in ("dryRun", "fieldManager", "fieldValidation")
            ],
            "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _identity(resource),
        }

    return {
        collection: {"get": operation("list"), "post": operation("post")},
        f"{collection}/{{name}}": {
            name: operation(name) for name in ("get", "put", "patch", "delete")
        },
    }
