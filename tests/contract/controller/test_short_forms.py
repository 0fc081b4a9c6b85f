"""executor_config's short forms, from the executor through the controller into local Batch."""

from typing import Any

import pytest

from batchtask_api import AirflowIdentity, submit_job
from batchtask_controller.request import job_request
from batchtask_executor.cluster.manifest import Identity, batch_task
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import JobBuilder
from batchtask_executor.jobs.tokens import Queuing
from batchtask_local.batch import LocalBatchHandle
from contract.controller.accounts import a_local_account
from contract.controller.test_other_shapes import define
from contract.controller.test_shapes import complaints

ASKED = {"cpu": 2, "memory": "1Gi", "env": {"A": "b"}, "timeout": 120}
AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id="r", try_number=1)
COMMAND = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"]


@pytest.mark.parametrize("shape", ["container", "ecs", "eks"])
async def test_a_job_of_each_shape_gets_what_was_asked_for(
    shape: str, server: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_local_account(server, monkeypatch) as account:
        definition = define(account, shape)
        settings = Settings(job_queue="default", job_definition=definition, shape=shape)
        job = JobBuilder(settings, submit_job.schema()).job("default", ASKED)
        task = batch_task(
            Identity(f"id-{shape}", Queuing("q"), AIRFLOW),
            job,
            namespace="n",
            instance="i",
            priority=0,
        )
        request = job_request(task, 1, workload="{}", cluster_uid="c")

        sent = await account.batch.submit(request, lambda: True)

        described = account.batch._connect().describe_jobs(jobs=[sent.id])["jobs"][0]
    assert complaints("SubmitJob", dict(request.parameters)) == ""
    assert described["timeout"] == {"attemptDurationSeconds": 120}
    assert told(shape, described) == {
        "command": COMMAND,
        "cpu": "2",
        "memory": "1024Mi" if shape == "eks" else "1024",
        "A": "b",
    }


def told(shape: str, job: Any) -> dict[str, Any]:
    """What the job's container is given, by whichever names its shape has."""
    if shape == "eks":
        (container,) = job["eksProperties"]["podProperties"]["containers"]
        needs = container["resources"]["limits"]
        assert container["resources"]["requests"] == needs
        command, variables = container["args"], container["env"]
    else:
        container = job["container"]
        if shape == "ecs":
            (container,) = job["ecsProperties"]["taskProperties"][0]["containers"]
        names = {"VCPU": "cpu", "MEMORY": "memory"}
        needs = {names[each["type"]]: each["value"] for each in container["resourceRequirements"]}
        command, variables = container["command"], container["environment"]
    mine = {each["name"]: each["value"] for each in variables if each["name"] == "A"}
    return {"command": command, "cpu": needs["cpu"], "memory": needs["memory"], **mine}
