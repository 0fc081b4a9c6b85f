"""What the API server does to objects of its own kinds when they are written."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from batchtask_local.apiserver.emulator.errors import bad_request, invalid, invalid_value, required
from batchtask_local.apiserver.emulator.resources import (
    DEFINITIONS,
    NAMESPACES,
    SECRETS,
    Object,
    Resource,
)

CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


def completed(resource: Resource, new: Object, old: Object | None, now: str) -> Object:
    """Return a built-in object as it is to be stored.

    Raises:
        StatusError: it breaks a rule of its kind.
    """
    if resource is NAMESPACES:
        return _namespace(new)
    if resource is SECRETS:
        return _secret(new, old)
    if resource is DEFINITIONS:
        return _definition(new, now)
    return new


def _namespace(new: Object) -> Object:
    metadata = new["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {
        **new,
        "metadata": {**metadata, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": new.get("status") or {"phase": "Active"},
    }


def _secret(new: Object, old: Object | None) -> Object:
    plain = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in new.get("stringData", {}).items()
    }
    data = {**new.get("data", {}), **plain}
    for value in data.values():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as error:
            message = f'Secret in version "v1" cannot be handled as a Secret: {error}'
            raise bad_request(message) from error
    kind = new.get("type") or "Opaque"
    if old and kind != old["type"]:
        cause = invalid_value("type", kind, "field is immutable")
        raise invalid("Secret", new["metadata"]["name"], [cause])
    kept = {key: value for key, value in new.items() if key not in ("stringData", "data")}
    return {**kept, **({"data": data} if data else {}), "type": kind}


def _definition(new: Object, now: str) -> Object:
    spec = new.get("spec", {})
    names = spec.get("names", {})
    _check_definition(new, spec, names)
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": message}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    status = new.get("status") or {
        "conditions": [{**condition, "lastTransitionTime": now} for condition in conditions],
    }
    versions = [version["name"] for version in spec["versions"]]
    return {**new, "status": {**status, "acceptedNames": names, "storedVersions": versions}}


def _check_definition(new: Object, spec: Mapping[str, Any], names: Mapping[str, Any]) -> None:
    causes = [
        required(f"spec.{path}")
        for path, value in (
            ("group", spec.get("group")),
            ("scope", spec.get("scope")),
            ("names.plural", names.get("plural")),
            ("names.kind", names.get("kind")),
            ("versions", spec.get("versions")),
        )
        if not value
    ]
    name, versions = new["metadata"]["name"], spec.get("versions") or []
    if not causes and name != f"{names['plural']}.{spec['group']}":
        causes.append(
            invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
        )
    if len(versions) > 1:
        why = "the emulator serves kinds of one version only: use the real API server"
        causes.append(invalid_value("spec.versions", len(versions), why))
    for index, version in enumerate(versions):
        if not version.get("schema", {}).get("openAPIV3Schema"):
            causes.append(required(f"spec.versions[{index}].schema.openAPIV3Schema"))
    if causes:
        raise invalid(DEFINITIONS.qualified_kind, name, causes)
