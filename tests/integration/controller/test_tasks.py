"""Tasks on a real API server, through the controller's own process, to jobs of local Batch."""

import base64
import json
import time
from itertools import pairwise
from typing import Any

import pytest

from batchtask_api import names
from batchtask_local.apiserver import RequestRefusedError
from batchtask_local.batch import Faults, LocalBatchHandle, ReplyFault
from integration.api.cluster import Tasks, a_task
from integration.controller.support import Controller, condition, phase, until, watching

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

FOREVER = {"command": ["sleep", "100000"]}


def a_job(definition: str = "worker", **more: Any) -> dict[str, Any]:
    """A job of local Batch."""
    return {"jobQueue": "default", "jobDefinition": definition, **more}


def finished(tasks: Tasks, name: str) -> str:
    """Wait for a task's end."""
    ends = {"Succeeded", "Failed", "Cancelled", "Lost"}
    return until(
        lambda: found if (found := phase(tasks, name)) in ends else None, f"the end of {name}"
    )


def is_gone(tasks: Tasks, name: str) -> bool:
    """Whether the task is no longer there."""
    try:
        tasks.get(name)
    except RequestRefusedError as error:
        return error.status == 404
    return False


def submissions(batch: LocalBatchHandle, uid: str) -> int:
    """How many SubmitJob calls came for a task."""
    return sum(uid in (entry.job_name or "") for entry in batch.journal("SubmitJob"))


def test_a_command_runs_to_its_success(shared: Tasks, batch: LocalBatchHandle, name: str) -> None:
    command = ["sh", "-c", "echo hello from $AWS_BATCH_JOB_ID"]
    created = shared.create(
        a_task(name, job=a_job("shell", containerOverrides={"command": command}))
    )

    assert finished(shared, name) == "Succeeded"

    status = shared.get(name)["status"]
    assert status["exitCode"] == 0
    assert status["logStreamName"]
    assert status["jobId"]
    assert condition(shared, name, "Succeeded")["status"] == "True"
    assert shared.get(name)["metadata"]["finalizers"] == [names.FINALIZER]
    assert submissions(batch, created["metadata"]["uid"]) == 1


def test_a_task_costs_one_submission_and_one_patch_a_change(
    shared: Tasks, batch: LocalBatchHandle, controller: Controller, name: str
) -> None:
    task = a_task(name, job=a_job(containerOverrides={"command": ["sleep", "1"]}))
    task["metadata"]["finalizers"] = [names.FINALIZER]
    patches = 'batchtask_status_patches_total{outcome="ok"}'
    before = controller.metric(patches)

    with watching(shared) as events:
        uid = shared.create(task)["metadata"]["uid"]
        assert finished(shared, name) == "Succeeded"
        time.sleep(1)  # nothing more may come

    changes = [each for each in events if each["object"]["metadata"]["uid"] == uid]
    statuses = [each["object"]["status"] for each in changes]
    phases = [each["phase"] for each in statuses]
    states = [(each["phase"], each.get("jobStatus")) for each in statuses]
    assert [each["type"] for each in changes] == ["ADDED"] + ["MODIFIED"] * (len(changes) - 1)
    assert phases[:3] == ["Pending", "Submitting", "Submitted"]
    assert phases[-1] == "Succeeded"
    assert all(one != two for one, two in pairwise(states)), states
    assert controller.metric(patches) - before == len(changes) - 1
    assert submissions(batch, uid) == 1


def test_a_task_that_is_deleted_ends_its_job(
    shared: Tasks, batch: LocalBatchHandle, name: str
) -> None:
    shared.create(a_task(name, job=a_job("shell", containerOverrides=FOREVER)))
    until(lambda: phase(shared, name) == "Running", "the job runs")
    job_id = shared.get(name)["status"]["jobId"]

    shared.delete(name)

    until(lambda: is_gone(shared, name), "the task is gone")
    job = next(each for each in batch.jobs() if each.id == job_id)
    assert job.status.value == "FAILED"
    assert job.status_reason == f"BatchTask airflow-tasks/{name} was deleted"


def test_a_task_that_is_cancelled_ends_its_job_and_stays(shared: Tasks, name: str) -> None:
    shared.create(a_task(name, job=a_job(containerOverrides=FOREVER)))
    until(lambda: phase(shared, name) == "Running", "the job runs")

    shared.patch(name, {"spec": {"cancel": True}})

    assert finished(shared, name) == "Cancelled"
    assert condition(shared, name, "Succeeded")["reason"] == "Cancelled"


def test_a_retained_job_outlives_its_task(
    shared: Tasks, batch: LocalBatchHandle, name: str
) -> None:
    shared.create(a_task(name, job=a_job(containerOverrides=FOREVER), deletionPolicy="Retain"))
    until(lambda: phase(shared, name) == "Running", "the job runs")
    job_id = shared.get(name)["status"]["jobId"]

    shared.delete(name)

    until(lambda: is_gone(shared, name), "the task is gone")
    job = next(each for each in batch.jobs() if each.id == job_id)
    assert job.status.value == "RUNNING"


def test_a_finished_task_goes_after_its_ttl(shared: Tasks, name: str) -> None:
    shared.create(a_task(name, job=a_job(), ttlSecondsAfterFinished=1))

    until(lambda: is_gone(shared, name), "the task is gone")


def test_a_failed_job_says_why(shared: Tasks, name: str) -> None:
    overrides = {"command": ["sh", "-c", "exit 3"]}
    shared.create(a_task(name, job=a_job("shell", containerOverrides=overrides)))

    assert finished(shared, name) == "Failed"

    assert shared.get(name)["status"]["exitCode"] == 3
    ended = condition(shared, name, "Succeeded")
    assert ended["reason"] == "JobFailed"
    assert "exit code 3" in ended["message"]


def test_a_wrong_queue_is_named(shared: Tasks, batch: LocalBatchHandle, name: str) -> None:
    shared.create(a_task(name, job={"jobQueue": "analitycs", "jobDefinition": "worker"}))

    assert finished(shared, name) == "Failed"

    ended = condition(shared, name, "Succeeded")
    assert ended["reason"] == "InvalidSpec"
    assert "analitycs" in ended["message"]


def test_a_command_that_is_too_long_is_not_submitted(
    shared: Tasks, batch: LocalBatchHandle, name: str
) -> None:
    overrides = {"command": ["echo", "x" * 8192]}
    uid = shared.create(a_task(name, job=a_job(containerOverrides=overrides)))["metadata"]["uid"]

    assert finished(shared, name) == "Failed"

    ended = condition(shared, name, "Succeeded")
    assert ended["reason"] == "InvalidSpec"
    assert "8,192" in ended["message"]
    assert submissions(batch, uid) == 0


def a_secret(name: str, uid: str, content: dict[str, str], **more: Any) -> dict[str, Any]:
    """The workload of a task."""
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": name, "uid": uid}
    text = base64.b64encode(json.dumps(content).encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "ownerReferences": [owner]},
        "type": names.WORKLOAD_SECRET_TYPE,
        "data": {names.WORKLOAD_SECRET_KEY: text},
        **more,
    }


def test_a_workload_reaches_its_job_and_no_log(
    shared: Tasks, batch: LocalBatchHandle, controller: Controller, name: str
) -> None:
    created = shared.create(a_task(name, job=a_job(), workload={"secretName": name}))
    secret = a_secret(name, created["metadata"]["uid"], {"token": "a-token-to-be-kept"})
    shared.server.request("POST", f"/api/v1/namespaces/{shared.namespace}/secrets", secret)

    assert finished(shared, name) == "Succeeded"

    job_id = shared.get(name)["status"]["jobId"]
    job = next(each for each in batch.jobs() if each.id == job_id)
    assert "a-token-to-be-kept" in str(job.spec.container)
    assert "a-token-to-be-kept" not in controller.text()
    assert "a-token-to-be-kept" not in json.dumps(shared.get(name))


def test_another_tasks_secret_is_refused(shared: Tasks, name: str) -> None:
    created = shared.create(a_task(name, job=a_job(), workload={"secretName": name}))
    secret = a_secret(name, created["metadata"]["uid"], {"password": "x"}, type="Opaque")
    shared.server.request("POST", f"/api/v1/namespaces/{shared.namespace}/secrets", secret)

    assert finished(shared, name) == "Failed"

    assert condition(shared, name, "Succeeded")["reason"] == "NotAllowed"


def test_a_lost_reply_leaves_one_job(shared: Tasks, batch: LocalBatchHandle, name: str) -> None:
    batch.set_faults(Faults(replies=(ReplyFault(outcome="drop", job_name=f"{name[:40]}*"),)))
    uid = shared.create(a_task(name, job=a_job()))["metadata"]["uid"]

    assert finished(shared, name) == "Succeeded"

    assert submissions(batch, uid) == 1


def test_the_probes_are_content(controller: Controller) -> None:
    assert controller.get("/livez") == "ok\n"
    assert until(lambda: controller.get("/readyz"), "readiness") == "ok\n"
    assert controller.metric("batchtask_leader") == 1
