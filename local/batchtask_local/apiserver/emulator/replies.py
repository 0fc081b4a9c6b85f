"""What the server answers: objects, lists of them, and refusals, as JSON."""

import json
from collections.abc import Sequence

from aiohttp import web

from batchtask_local.apiserver.emulator import errors
from batchtask_local.apiserver.emulator.bodies import WriteOptions
from batchtask_local.apiserver.emulator.resources import Object, Resource


def revision_of(content: Object) -> str:
    """Return the resource version of an object."""
    return str(content["metadata"]["resourceVersion"])


def place_of(content: Object) -> tuple[str, str]:
    """Return where an object stands in a list."""
    return content["metadata"].get("namespace", ""), content["metadata"]["name"]


def list_of(resource: Resource, items: Sequence[Object], metadata: Object) -> Object:
    """Return objects as a list of their kind."""
    head = {"apiVersion": resource.api_version, "kind": resource.list_kind}
    return {**head, "metadata": metadata, "items": items}


def deleted(resource: Resource, content: Object) -> Object:
    """Return what a deletion of an object that is gone answers."""
    metadata = content["metadata"]
    group = {"group": resource.group} if resource.group else {}
    details = {"name": metadata["name"], **group, "kind": resource.plural, "uid": metadata["uid"]}
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**head, "details": details}


def answer(content: Object, status: int = 200, options: WriteOptions | None = None) -> web.Response:
    """Return a reply with JSON, and warnings about the request."""
    response = _json(content, status)
    for warning in options.warnings if options else ():
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


def refused(error: errors.StatusError) -> web.Response:
    """Return a refusal as a Status."""
    return _json(error.body(), error.code)


def _json(content: Object, status: int) -> web.Response:
    body = json.dumps(content).encode()
    return web.Response(body=body, status=status, content_type="application/json")
