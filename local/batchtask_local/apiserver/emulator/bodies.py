"""Read an object that a client wrote: is it of this kind and place, and what of it is known."""

from dataclasses import dataclass, field
from typing import Any

from batchtask_local.apiserver.emulator import errors
from batchtask_local.apiserver.emulator.decoding import Schema, prune, with_defaults
from batchtask_local.apiserver.emulator.resources import METADATA, STRING, Object, Resource
from batchtask_local.apiserver.emulator.validation import validate


@dataclass
class WriteOptions:
    """How a request wants to be treated, and what it is to be warned of."""

    field_validation: str = "Warn"
    dry_run: bool = False
    is_patch: bool = False
    warnings: list[str] = field(default_factory=list)


def decoded(resource: Resource, namespace: str, body: Object, options: WriteOptions) -> Object:
    """Return the body pruned and with defaults; unknown fields are treated as the options say.

    Raises:
        StatusError: it is of another kind or place, or has unknown fields where none are allowed.
    """
    _check_kind(resource, body)
    pruned, unknown = prune(METADATA, body.get("metadata") or {}, "metadata")
    metadata = with_defaults(METADATA, pruned)
    check_types(resource, METADATA, metadata, "metadata")
    if (metadata.get("namespace") or namespace) != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    schema = {**resource.schema, "properties": _top_level(resource)}
    rest = {key: value for key, value in body.items() if key != "metadata"}
    content, more = prune(schema, rest)
    _report([*unknown, *more], resource, options)
    filled = with_defaults(schema, content)
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**head, "metadata": metadata, **filled, **head}


def check_types(resource: Resource, schema: Schema, value: object, path: str = "") -> None:
    """Refuse what the API server's own types can't hold, as it does: before any other check."""
    for wrong in validate(schema, value, path):
        raise errors.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: {wrong.field}: {wrong.message}"
        )


def _check_kind(resource: Resource, body: Object) -> None:
    version, kind = body.get("apiVersion"), body.get("kind")
    if version is None and kind is None and not resource.is_custom:
        return  # the built-in kinds may leave both out
    if version != resource.api_version:
        raise errors.bad_request(
            f"the API version in the data ({version or ''}) does not match the expected API "
            f"version ({resource.api_version})"
        )
    if kind != resource.kind:
        name = str((body.get("metadata") or {}).get("name", ""))
        cause = errors.invalid_value("kind", kind, f"must be {resource.kind}")
        claimed = f"{kind}.{resource.group}" if resource.group else str(kind)
        raise errors.invalid(claimed, name, [cause])


def _top_level(resource: Resource) -> dict[str, Any]:
    return {
        **dict.fromkeys(("apiVersion", "kind"), STRING),
        **resource.schema.get("properties", {}),
    }


def _report(unknown: list[str], resource: Resource, options: WriteOptions) -> None:
    told = [f'unknown field "{path}"' for path in unknown]
    if told and options.field_validation == "Strict":
        why = f"strict decoding error: {', '.join(told)}"
        if options.is_patch:
            raise errors.invalid("", "", [errors.invalid_value("patch", {}, why)])
        raise errors.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: {why}"
        )
    if options.field_validation == "Warn":
        options.warnings.extend(told)
