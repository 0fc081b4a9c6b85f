"""manifests/ as a user applies them, and every object that v1alpha1 ever took."""

from pathlib import Path

import pytest
import yaml

from batchtask_api import BatchTask
from batchtask_local.apiserver import ApiServer
from integration.api.cluster import Kubectl, Tasks

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

ROOT = Path(__file__).parents[3]
OBJECTS = sorted((ROOT / "tests" / "contract" / "api" / "objects" / "v1alpha1").glob("*.yaml"))


def test_kubectl_apply_takes_all_manifests_twice(kubectl: Kubectl) -> None:
    for _ in range(2):
        applied = kubectl("apply", "-f", "manifests/")
        assert applied.returncode == 0, applied.stderr

    assert applied.stderr == ""
    assert "customresourcedefinition.apiextensions.k8s.io/batchtasks.batchtask.dev unchanged" in (
        applied.stdout
    )


@pytest.mark.parametrize("folder", ["manifests/examples", "manifests/examples/aws"])
def test_kubectl_apply_takes_the_examples(
    folder: str, envtest_server: ApiServer, kubectl: Kubectl
) -> None:
    envtest_server.create_namespace("airflow-tasks")

    applied = kubectl("apply", "-f", folder)

    assert (applied.returncode, applied.stderr) == (0, "")
    assert len(applied.stdout.splitlines()) == len(list((ROOT / folder).glob("*.yaml")))
    assert kubectl("delete", "-f", folder).returncode == 0


@pytest.mark.parametrize("file", OBJECTS, ids=lambda file: file.stem)
def test_an_object_of_an_earlier_version_is_taken(file: Path, tasks: Tasks) -> None:
    body = yaml.safe_load(file.read_text("utf-8"))
    name = body["metadata"]["name"]
    body["metadata"]["namespace"] = tasks.namespace
    body["metadata"].pop("finalizers", None)  # nobody is there to drop them

    tasks.create(body)
    if "status" in body:
        tasks.patch(name, {"status": body["status"]}, subresource="status")

    found, meant = BatchTask.from_json(tasks.get(name)), BatchTask.from_json(body)
    assert (found.spec, found.status) == (meant.spec, meant.status)
