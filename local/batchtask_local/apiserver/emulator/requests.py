"""Read what a request asks for: its body, its options, the page and patch it means."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from batchtask_local.apiserver.emulator import errors
from batchtask_local.apiserver.emulator.bodies import WriteOptions
from batchtask_local.apiserver.emulator.patches import PatchFailedError, merged, operated
from batchtask_local.apiserver.emulator.resources import Object, Resource
from batchtask_local.apiserver.emulator.watch import FOREVER_SECONDS
from batchtask_local.apiserver.emulator.writes import DeleteOptions

BODY_TYPES = ("application/json", "application/yaml")
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
APPLY, STRATEGIC = "application/apply-patch+yaml", "application/strategic-merge-patch+json"
VALIDATIONS = ("", "Ignore", "Strict", "Warn")


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted: so many objects behind this one, at this revision."""

    limit: int
    behind: tuple[str, str]
    revision: int


async def body(request: web.Request) -> Object:
    """Return the object in the body.

    Raises:
        StatusError: 415 for a type that can't be read, 400 for what isn't an object.
    """
    if request.content_type not in BODY_TYPES and request.headers.get("Content-Type"):
        raise _unsupported(BODY_TYPES)
    found = _parsed(await request.text())
    if not isinstance(found, dict) or not isinstance(found.get("metadata", {}), dict):
        raise errors.bad_request("the body of the request holds no object")
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise errors.bad_request(f"the body of the request can't be read: {error}") from error


def write_options(request: web.Request) -> WriteOptions:
    """Return the options of a request that creates or changes an object."""
    wanted = request.query.get("fieldValidation", "")
    if wanted not in VALIDATIONS:
        choices = ", ".join(f'"{choice}"' for choice in VALIDATIONS)
        message = f'Unsupported value: "{wanted}": supported values: {choices}'
        cause = errors.Cause("fieldValidation", "FieldValueNotSupported", message)
        raise errors.invalid("CreateOptions.meta.k8s.io", "", [cause])
    is_patch = request.method == "PATCH" and request.content_type != APPLY
    return WriteOptions(wanted or "Warn", _is_dry_run(request.query), is_patch)


async def delete_options(request: web.Request) -> DeleteOptions:
    """Return the options of a deletion: from its body, else from its query."""
    text = await request.text()
    told = _parsed(text) if text.strip() else {}
    if not isinstance(told, dict):
        raise errors.bad_request("the body of the request holds no DeleteOptions")
    preconditions = told.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise errors.bad_request("preconditions: it must be an object")
    policy = told.get("propagationPolicy") or request.query.get("propagationPolicy")
    orphans = told.get("orphanDependents") or request.query.get("orphanDependents") == "true"
    return DeleteOptions(
        propagation=policy or ("Orphan" if orphans else "Background"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=bool(told.get("dryRun")) or _is_dry_run(request.query),
    )


def _is_dry_run(query: Mapping[str, str]) -> bool:
    return query.get("dryRun") == "All"


async def patched(request: web.Request, resource: Resource, current: Object | None) -> Object:
    """Return the object that the patch in the body makes of the current one.

    Raises:
        StatusError: 415 for a kind of patch that isn't supported, 422 for one that fails, 404 if
            there is no object and the patch isn't an apply.
    """
    kind, name = request.content_type, request.match_info["name"]
    supported = (JSON_PATCH, MERGE, APPLY, *(() if resource.is_custom else (STRATEGIC,)))
    if kind not in supported:
        raise _unsupported(supported)
    patch = _parsed(await request.text())
    if kind == APPLY:
        _check_manager(request)
    elif current is None:
        raise errors.not_found(resource, name)
    result = _operated(current, patch) if kind == JSON_PATCH else merged(current or {}, patch)
    if not isinstance(result, dict):
        raise errors.bad_request("error decoding patch: it makes no object")
    return result


def _operated(current: Object | None, patch: object) -> object:
    if not isinstance(patch, list) or not all(isinstance(each, dict) for each in patch):
        raise errors.bad_request("error decoding patch: a JSON patch is a list of operations")
    try:
        return operated(current, patch)
    except PatchFailedError as error:
        message = "the server rejected our request due to an error in our request"
        raise errors.StatusError(422, "Invalid", message) from error


def _check_manager(request: web.Request) -> None:
    if not request.query.get("fieldManager"):
        cause = errors.required("fieldManager", "is required for apply patch")
        raise errors.invalid("PatchOptions.meta.k8s.io", "", [cause])


def _unsupported(types: tuple[str, ...]) -> errors.StatusError:
    message = (
        "the body of the request was in an unknown format (the emulator reads no protobuf, which "
        "commands such as `kubectl create namespace` send: use `kubectl apply -f`) - accepted "
        f"media types include: {', '.join(types)}"
    )
    return errors.StatusError(415, "UnsupportedMediaType", message)


def revision(request: web.Request) -> int:
    """Return the resourceVersion asked for, 0 for any."""
    return number(request, "resourceVersion", 0)


def watch_seconds(request: web.Request) -> float:
    """Return how long a watch is to last."""
    return float(number(request, "timeoutSeconds", 0)) or FOREVER_SECONDS


def is_set(request: web.Request, name: str) -> bool:
    """Tell whether a query parameter is true."""
    return request.query.get(name) in ("1", "true")


def number(request: web.Request, name: str, default: int) -> int:
    """Return a query parameter that is a natural number."""
    text = request.query.get(name) or str(default)
    if not text.isdecimal():
        raise errors.bad_request(f'{name}: Invalid value: "{text}": it must be a number')
    return int(text)


def page(request: web.Request, newest: int) -> Page:
    """Return the page asked for; the first one's revision is `newest`."""
    limit, token = number(request, "limit", 0), request.query.get("continue", "")
    if not token:
        return Page(limit, ("", ""), newest)
    try:
        told = json.loads(base64.urlsafe_b64decode(token))
        return Page(limit, (str(told["namespace"]), str(told["name"])), int(told["revision"]))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise errors.bad_request(f"invalid continue token: {error}") from error


def continue_token(last: Object, at: int) -> str:
    """Return the token for the page behind this object."""
    metadata = last["metadata"]
    told = {"namespace": metadata.get("namespace", ""), "name": metadata["name"], "revision": at}
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


def table_wanted(request: web.Request) -> bool:
    """Tell whether the client prefers a table."""
    first = request.headers.get("Accept", "").split(",")[0].replace(" ", "")
    return "as=Table" in first.split(";")
