"""The example job definitions, registered with local Batch; the probe runs in a job of each."""

import json
import os
import sys
from pathlib import Path
from string import Template
from typing import Any

import boto3
import pytest

from batchtask_api import names, submit_job
from batchtask_executor.checks.probe import probe_task
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import JobBuilder
from batchtask_local.batch import LocalBatchHandle
from fakes.execution_api import HEALTH, Answer, serving
from integration.api.cluster import Tasks
from integration.controller.support import ROOT
from integration.controller.test_tasks import finished

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

SETTINGS: dict[str, dict[str, Any]] = {
    "ec2": {},
    "fargate": {},
    "eks": {"shape": "eks", "container": "main"},
}
"""The executor's options beside the definition's name, as docs/install-airflow.md has them."""


def filled(name: str, url: str) -> dict[str, Any]:
    """The definition with its placeholders filled in."""
    text = (ROOT / "aws" / "job-definitions" / f"{name}.json").read_text("utf-8")
    role = "arn:aws:iam::123456789012:role/airflow-worker"
    values = {
        "image": "airflow-with-batchtask:3.3.2",
        "job_role_arn": role,
        "execution_role_arn": role,
        "execution_api_url": url,
        "log_folder": "s3://logs/airflow",
    }
    found: dict[str, Any] = json.loads(Template(text).substitute(values))
    return found


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_job_of_the_definition_reaches_the_execution_api(
    kind: str, shared: Tasks, batch: LocalBatchHandle, name: str
) -> None:
    client = boto3.client(
        "batch",
        endpoint_url=batch.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    own_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with serving({HEALTH: Answer()}) as address:
        definition = filled(kind, f"http://{address}/execution/")
        client.register_job_definition(**definition)
        settings = Settings(
            job_queue="default", job_definition=definition["jobDefinitionName"], **SETTINGS[kind]
        )
        builder = JobBuilder(settings, submit_job.schema())
        job = builder.job("default", {"env": {"PATH": own_python}})
        task = probe_task(job, namespace=shared.namespace, name=name)
        body = {key: value for key, value in task.to_json().items() if key != "status"}
        shared.create({"apiVersion": names.API_VERSION, "kind": names.KIND, **body})

        assert finished(shared, name) == "Succeeded"
