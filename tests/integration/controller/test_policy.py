"""Where the API server refuses nothing, the controller does: before any call to AWS."""

import json

import pytest

from batchtask_local.batch import LocalBatchHandle
from integration.api.cluster import Tasks, a_task
from integration.controller.support import Ground, condition, phase, until

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


def test_a_queue_outside_the_namespaces_list_is_refused(
    ground: Ground, batch: LocalBatchHandle, tasks: Tasks
) -> None:
    rules = {tasks.namespace: {"jobQueues": ["default"], "jobDefinitions": ["worker:1"]}}
    controller = ground.start(BATCHTASK_POLICY=json.dumps(rules))
    controller.says("this process leads now")
    before = len(batch.journal())

    tasks.create(a_task("another", job={"jobQueue": "secret", "jobDefinition": "worker:1"}))
    until(lambda: phase(tasks, "another") == "Failed", "its end")

    asked = [entry.operation for entry in batch.journal()[before:]]
    assert set(asked) <= {"DescribeJobs"}  # of tasks of other tests
    assert controller.metric('batchtask_aws_calls_total{operation="SubmitJob",outcome="ok"}') == 0
    end = condition(tasks, "another", "Succeeded")
    assert end["reason"] == "NotAllowed"
    assert end["message"] == (
        f"spec.job.jobQueue 'secret' is not allowed in namespace {tasks.namespace}; "
        "allowed: default"
    )
    tasks.create(a_task("its-own", job={"jobQueue": "default", "jobDefinition": "worker:1"}))
    until(lambda: phase(tasks, "its-own") == "Succeeded", "the end of what is allowed")
