"""Refusals in the API server's own words: a Status object, a code and a reason."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchtask_local.apiserver.emulator.resources import Resource


@dataclass(frozen=True)
class Cause:
    """One field that is wrong, and how."""

    field: str
    reason: str
    message: str


class StatusError(Exception):
    """A request is refused; `body()` is what the client gets."""

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details

    def body(self) -> dict[str, Any]:
        """Return the Status object."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            **({"reason": self.reason} if self.reason else {}),
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


def required(path: str, detail: str = "") -> Cause:
    """A field is absent."""
    return Cause(path, "FieldValueRequired", f"Required value{detail and ': ' + detail}")


def invalid_value(path: str, value: object, why: str, reason: str = "FieldValueInvalid") -> Cause:
    """A field has a value that it can't have."""
    return Cause(path, reason, f"Invalid value: {json.dumps(value)}: {why}")


def bad_request(message: str) -> StatusError:
    """The request can't be understood."""
    return StatusError(400, "BadRequest", message)


def unknown_path() -> StatusError:
    """There is no such resource."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def not_found(resource: Resource, name: str) -> StatusError:
    """There is no such object."""
    message = f'{resource.qualified_plural} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(resource, name))


def already_exists(resource: Resource, name: str) -> StatusError:
    """The name is taken."""
    message = f'{resource.qualified_plural} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> StatusError:
    """The object isn't the one that the client has read."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    )
    message = f'Operation cannot be fulfilled on {resource.qualified_plural} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(resource, name))


def terminating(resource: Resource, name: str, namespace: str) -> StatusError:
    """The namespace is being deleted, so nothing can be created in it."""
    why = f"namespace {namespace} is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"}
    return StatusError(
        403,
        "Forbidden",
        f'{resource.qualified_plural} "{name}" is forbidden: unable to create new content in '
        f"namespace {namespace} because it is being terminated",
        {**_details(resource, name), "causes": [cause]},
    )


def invalid(kind: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """One or more fields are wrong; `kind` is qualified by its group."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    plain, _, group = kind.partition(".")
    details = {
        **({"name": name} if name else {}),
        **({"group": group} if group else {}),
        "kind": plain,
        "causes": [
            {"reason": cause.reason, "message": cause.message, "field": cause.field}
            for cause in causes
        ],
    }
    return StatusError(422, "Invalid", f'{kind} "{name}" is invalid: {told}', details)


def _details(resource: Resource, name: str) -> dict[str, Any]:
    group = {"group": resource.group} if resource.group else {}
    return {"name": name, **group, "kind": resource.plural}
