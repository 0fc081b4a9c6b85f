"""CustomResourceDefinitions from files, put into an API server before anything needs them."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from batchtask_local.apiserver.errors import ApiServerError, RequestRefusedError

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVED_SECONDS = 30
POLL_SECONDS = 0.05

Definition = Mapping[str, Any]
Request = Callable[..., dict[str, Any]]
"""Send method, path, body and content type; raises RequestRefusedError."""


def read_crds(files: Sequence[Path]) -> list[Definition]:
    """Return the CustomResourceDefinitions in these YAML files.

    Raises:
        ApiServerError: a file can't be read, holds none, or holds anything else.
    """
    return [definition for file in files for definition in _read(file)]


def _read(file: Path) -> list[Definition]:
    try:
        documents = [found for found in yaml.safe_load_all(file.read_text("utf-8")) if found]
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ApiServerError(
            f"{file} can't be read as YAML: {' '.join(str(error).split())}"
        ) from error
    except OSError as error:
        raise ApiServerError(f"{file} can't be read: {error.strerror}") from error
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != "CustomResourceDefinition":
            raise ApiServerError(f"{file} holds something other than a CustomResourceDefinition")
    if not documents:
        raise ApiServerError(f"{file} holds no CustomResourceDefinition")
    return documents


def apply_crds(request: Request, definitions: Sequence[Definition]) -> None:
    """Apply the definitions; return once their kinds are served and discovered.

    Raises:
        ApiServerError: one is refused, or isn't served in time.
    """
    for definition in definitions:
        name = definition["metadata"]["name"]
        try:
            request(
                "PATCH",
                f"{PATH}/{quote(name)}?fieldManager=batchtask&force=true&fieldValidation=Strict",
                definition,
                content_type="application/apply-patch+yaml",
            )
        except RequestRefusedError as error:
            raise ApiServerError(f"CRD {name} was refused: {error}") from error
    for definition in definitions:
        _await_served(request, definition)


def _await_served(request: Request, definition: Definition) -> None:
    name, spec = definition["metadata"]["name"], definition["spec"]
    paths = [f"/apis/{spec['group']}/{version['name']}" for version in spec["versions"]]
    deadline = time.monotonic() + SERVED_SECONDS
    while not (_is_established(request, name) and all(_is_served(request, path) for path in paths)):
        if time.monotonic() > deadline:
            raise ApiServerError(f"CRD {name} isn't served after {SERVED_SECONDS} s")
        time.sleep(POLL_SECONDS)


def _is_established(request: Request, name: str) -> bool:
    status = request("GET", f"{PATH}/{quote(name)}").get("status", {})
    return any(
        condition["type"] == "Established" and condition["status"] == "True"
        for condition in status.get("conditions") or ()
    )


def _is_served(request: Request, path: str) -> bool:
    try:
        return bool(request("GET", path).get("resources"))
    except RequestRefusedError:
        return False
