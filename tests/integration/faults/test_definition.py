"""The CRD changes under a running controller: it is made laxer, or deleted, and comes back."""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchtask_api import names
from batchtask_local.apiserver import ApiServer, RequestRefusedError, envtest
from batchtask_local.batch import LocalBatchHandle
from integration.faults.conftest import MANIFESTS, StartController, grant
from integration.faults.controller import Controller
from integration.faults.world import (
    FOREVER,
    World,
    a_task,
    condition,
    eventually,
    is_gone,
    name,
)

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

CRD = MANIFESTS / "crd.yaml"
CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names.PLURAL}.{names.GROUP}"


@pytest.fixture(scope="module")
def spare_server() -> Iterator[ApiServer]:
    """A real API server of this file's own: a CRD is every test's."""
    with envtest([CRD]) as server:
        yield server


@pytest.fixture(scope="module")
def account(spare_server: ApiServer) -> Path:
    """The controller's own account on it."""
    return grant(spare_server)


@pytest.fixture
def world(
    spare_server: ApiServer, batch: LocalBatchHandle, request: pytest.FixtureRequest
) -> World:
    """A namespace on it, and local Batch."""
    namespace = request.node.name.replace("_", "-")[:50].strip("-")
    spare_server.create_namespace(namespace)
    return World(spare_server, namespace, batch)


def lax_crd() -> dict[str, Any]:
    """Build the CRD with a schema that takes anything: what an older or a foreign one may be."""
    crd: dict[str, Any] = copy.deepcopy(yaml.safe_load(CRD.read_text(encoding="utf-8")))
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for version in crd["spec"]["versions"]:
        version["schema"] = {"openAPIV3Schema": anything}
        version.pop("selectableFields", None)
    return crd


def put_crd(server: ApiServer, crd: dict[str, Any]) -> None:
    """Replace the CRD."""
    current = server.request("GET", CRD_PATH)
    version = current["metadata"]["resourceVersion"]
    metadata = {**crd["metadata"], "resourceVersion": version}
    server.request("PUT", CRD_PATH, {**crd, "metadata": metadata})


def unreadable() -> list[dict[str, Any]]:
    """Build tasks that no schema of ours takes and no status can be written to any more."""
    no_job, no_spec, odd_job, odd_priority, odd_queue, odd_tags = (
        a_task(each)
        for each in ("no-job", "no-spec", "odd-job", "odd-priority", "odd-queue", "odd-tags")
    )
    del no_job["spec"]["job"]
    del no_spec["spec"]
    odd_job["spec"]["job"] = "a string"
    odd_priority["spec"]["priority"] = "high"
    odd_queue["spec"]["job"]["jobQueue"] = 7
    odd_tags["spec"]["job"]["tags"] = "a=b"
    bodies = [no_job, no_spec, odd_job, odd_priority, odd_queue, odd_tags]
    for each in bodies:
        del each["metadata"]["finalizers"]
    return bodies


def create_despite_the_schema(world: World, bodies: Sequence[dict[str, Any]]) -> None:
    """Create tasks while the CRD takes anything, then give it its schema back."""
    put_crd(world.server, lax_crd())
    left = list(bodies)

    def are_taken() -> bool:
        # Each server of a cluster learns of a new schema in its own time.
        with contextlib.suppress(RequestRefusedError):
            while left:
                world.create(left[0])
                left.pop(0)
        return not left

    eventually(are_taken)
    world.server.apply_crds([CRD])


def test_poisoned_tasks_are_told_of_and_stop_no_healthy_one(
    world: World, start: StartController
) -> None:
    bad = unreadable()
    no_queue = a_task("no-queue")
    del no_queue["spec"]["job"]["jobQueue"]
    create_despite_the_schema(world, [no_queue, *bad])
    healthy = [f"healthy-{number}" for number in range(20)]
    world.create(*(a_task(each) for each in healthy))

    controller = start()
    eventually(lambda: world.is_in("Succeeded", *healthy), seconds=20)
    for each in map(name, bad):
        eventually(partial(is_told_of, controller, each))
    eventually(lambda: world.is_in("Failed", "no-queue"))
    succeeded = condition(world.tasks.get("no-queue"), "Succeeded")
    assert (succeeded["status"], succeeded["reason"]) == ("False", "InvalidSpec")
    assert succeeded["message"].startswith("spec.job.jobQueue is missing: ")
    assert controller.errors() == []
    assert controller.is_alive()

    for each in map(name, [no_queue, *bad]):
        world.tasks.delete(each)
    world.create(a_task("later"))
    eventually(lambda: world.all().keys() == {*healthy, "later"})
    eventually(lambda: world.is_in("Succeeded", "later"))
    assert len(world.batch.jobs()) == 21
    world.audit()
    world.server.request("DELETE", world.tasks.path())  # nobody serves them after this test
    eventually(lambda: not world.all())


def is_told_of(controller: Controller, task: str) -> bool:
    """Tell whether an error in the log names the task."""
    return any(" ERROR " in line and task in line for line in controller.lines())


def test_a_deleted_crd_goes_with_its_tasks_no_job_runs_on_and_a_new_one_is_served(
    world: World, start: StartController
) -> None:
    controller = start()
    world.create(*(a_task(f"task-{number}", seconds=FOREVER) for number in range(50)))
    eventually(lambda: world.phases()["Running"] == 50, seconds=30, every=0.25)

    world.server.request("DELETE", CRD_PATH)
    eventually(lambda: not world.running_jobs(), seconds=30)
    eventually(lambda: is_gone(lambda: world.server.request("GET", CRD_PATH)), seconds=30)
    assert len(world.batch.jobs()) == 50
    assert controller.runs()

    world.server.apply_crds([CRD])
    world.create(a_task("anew"))
    eventually(lambda: world.is_in("Succeeded", "anew"), seconds=30)
    assert controller.is_alive()
