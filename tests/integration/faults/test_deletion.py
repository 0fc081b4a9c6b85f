"""Deletions end, whoever made the task, and no job runs on."""

import pytest

from integration.faults.conftest import StartController
from integration.faults.world import FOREVER, World, a_task, eventually, is_gone

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


def test_a_namespace_with_50_live_tasks_goes_and_no_job_runs_on(
    world: World, start: StartController
) -> None:
    controller = start()
    world.create(*(a_task(f"task-{number}", seconds=FOREVER) for number in range(50)))
    eventually(lambda: world.phases()["Running"] == 50, seconds=30, every=0.25)

    path = f"/api/v1/namespaces/{world.namespace}"
    world.server.request("DELETE", path)
    eventually(lambda: not world.running_jobs(), seconds=20)
    eventually(lambda: is_gone(lambda: world.server.request("GET", path)), seconds=40)

    assert len(world.batch.jobs()) == 50
    assert sum("task released" in line for line in controller.lines()) == 50
    assert controller.metric("batchtask_releases_given_up_total") == 0
    assert controller.errors() == []
    assert controller.is_alive()


def test_a_task_made_by_kubectl_is_deleted_only_once_its_job_has_ended(
    world: World, start: StartController
) -> None:
    controller = start()
    body = a_task("by-hand", seconds=FOREVER)
    del body["metadata"]["finalizers"]
    world.create(body, a_task("beside", seconds=FOREVER))
    eventually(lambda: world.is_in("Running"))
    (job,) = world.jobs_of(world.tasks.get("by-hand"))

    world.tasks.delete("by-hand")
    eventually(lambda: is_gone(lambda: world.tasks.get("by-hand")), seconds=20)

    (left,) = world.running_jobs()
    assert left.id != job.id
    assert controller.said("job's end asked for")
    assert world.is_in("Running", "beside")
