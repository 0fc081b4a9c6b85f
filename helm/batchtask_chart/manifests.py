"""manifests/deployment.yaml, for those without Helm: what the chart renders by its defaults."""

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from batchtask_api import rbac
from batchtask_local.apiserver import binaries

_HEAD: Final = (
    "# Generated from the chart helm/airflow-batchtask by `make generate`; do not edit.\n"
    "# Set the image to where you pushed the controller's, and add BATCHTASK_AWS_REGION.\n"
)
_TEMPLATES: Final = ("deployment", "poddisruptionbudget")
_HELMS_OWN: Final = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def plain_manifests(chart: Path) -> str:
    """Render what runs the controller, without Helm's own labels."""
    shown = [f"--show-only=templates/{name}.yaml" for name in _TEMPLATES]
    command = [str(binaries.helm()), "template", "batchtask", str(chart), *shown]
    rendered = subprocess.run(  # noqa: S603 - our own command
        [*command, "--namespace", rbac.CONTROLLER_NAMESPACE],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    documents = [_without_helm(body) for body in yaml.safe_load_all(rendered) if body]
    # First: `kubectl apply -f manifests/` takes this file before namespace.yaml.
    documents = [_namespace(), *documents]
    return _HEAD + yaml.safe_dump_all(documents, sort_keys=False, width=100)


def _namespace() -> dict[str, Any]:
    return next(
        body for body in rbac.namespaces() if body["metadata"]["name"] == rbac.CONTROLLER_NAMESPACE
    )


def _without_helm(body: dict[str, Any]) -> dict[str, Any]:
    for label in _HELMS_OWN:
        body["metadata"]["labels"].pop(label, None)
    return body
