"""Two namespaces, two AWS accounts in two regions, one controller."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer
from batchtask_local.batch import LocalBatchHandle
from integration.api.cluster import Tasks, a_task
from integration.controller.support import Ground, local_batch, phase, until

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

ACCOUNT, REGION = "222222222222", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/batchtask"
JOB = {"jobQueue": "default", "jobDefinition": "worker"}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    directory = tmp_path_factory.mktemp("there")
    with local_batch(directory, account=ACCOUNT, region=REGION) as server:
        yield server


@pytest.fixture
def others(granted: ApiServer, tasks: Tasks) -> Tasks:
    """The tasks of a second namespace."""
    namespace = f"{tasks.namespace}-b"
    granted.create_namespace(namespace)
    return Tasks(granted, namespace)


def accounts(namespace: str, there: LocalBatchHandle) -> str:
    """The setting."""
    return json.dumps({namespace: {"roleArn": ROLE, "region": REGION, "endpointUrl": there.url}})


def jobs_of(batch: LocalBatchHandle, uid: str) -> int:
    """How many jobs were ever made for a task."""
    return sum(uid in job.spec.name for job in batch.jobs())


def test_each_namespaces_jobs_run_in_its_account(
    ground: Ground, tasks: Tasks, others: Tasks, batch: LocalBatchHandle, there: LocalBatchHandle
) -> None:
    ground.namespaces = [tasks.namespace, others.namespace]
    controller = ground.start(BATCHTASK_ACCOUNTS=accounts(others.namespace, there))

    here_uid = tasks.create(a_task("here", job=JOB))["metadata"]["uid"]
    there_uid = others.create(a_task("there", job=JOB))["metadata"]["uid"]
    until(lambda: phase(tasks, "here") == "Succeeded", "success here")
    until(lambda: phase(others, "there") == "Succeeded", "success there")

    submission = others.get("there")["status"]["submission"]
    assert (submission["account"], submission["region"]) == (ACCOUNT, REGION)
    assert (jobs_of(batch, here_uid), jobs_of(there, here_uid)) == (1, 0)
    assert (jobs_of(batch, there_uid), jobs_of(there, there_uid)) == (0, 1)
    said = controller.says(f"namespace {others.namespace}: account {ACCOUNT}, region {REGION}")
    assert said["level"].upper() == "INFO"


def test_a_job_is_followed_where_it_is_after_its_namespace_moved(
    ground: Ground, tasks: Tasks, batch: LocalBatchHandle, there: LocalBatchHandle
) -> None:
    runs = {**JOB, "containerOverrides": {"command": ["sleep", "4"]}}
    first = ground.start(BATCHTASK_ACCOUNTS=accounts(tasks.namespace, there))
    uid = tasks.create(a_task("moved", job=runs))["metadata"]["uid"]
    until(lambda: phase(tasks, "moved") == "Running", "its job runs")
    assert first.stop() == 0

    ground.start(BATCHTASK_ACCOUNTS=accounts("drained", there))
    until(lambda: phase(tasks, "moved") == "Succeeded", "the end of its job")

    assert (jobs_of(batch, uid), jobs_of(there, uid)) == (0, 1)


def test_a_policy_that_names_another_account_ends_it_before_it_begins(
    ground: Ground, tasks: Tasks, tmp_path: Path
) -> None:
    arn = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/default"
    policy = {tasks.namespace: {"jobQueues": [arn], "jobDefinitions": ["worker"]}}

    controller = ground.start(BATCHTASK_POLICY=json.dumps(policy))

    assert controller.ends() == 2
    said = controller.says("BATCHTASK_POLICY")["message"]
    assert arn in said
    assert "us-east-1" in said
