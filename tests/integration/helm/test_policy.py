"""A policy in the chart's values holds at admission, and in the controller where that is off."""

from typing import Any

import pytest

from batchtask_local.apiserver import RequestRefusedError
from batchtask_local.batch import LocalBatchHandle
from integration.faults.world import World, a_task, condition
from integration.helm.cluster import Cluster, eventually, values_for

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

POLICY = {"airflow-tasks": {"jobQueues": ["default"], "jobDefinitions": ["simulated"]}}


def installed(cluster: Cluster, batch: LocalBatchHandle, **of: Any) -> World:
    cluster.install(values_for(batch, settings={"policy": POLICY}, **of))
    return World(cluster.server, cluster.tasks.namespace, batch)


def test_a_queue_outside_the_list_is_refused_at_admission(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    world = installed(cluster, batch)

    def is_refused() -> bool:
        """Ask without making it: a policy is in force a moment after it was made."""
        path = f"{world.tasks.path()}?dryRun=All"
        try:
            world.server.request("POST", path, a_task("other", queue="other"))
        except RequestRefusedError as error:
            return "spec.job.jobQueue 'other' is not allowed in namespace" in str(error)
        return False

    eventually(is_refused, "the queue is refused", seconds=20)
    world.create(a_task("allowed"))
    eventually(lambda: world.is_in("Succeeded", "allowed"), "what is allowed runs")


def test_with_admission_off_the_controller_refuses_it_before_any_call(
    cluster: Cluster, batch: LocalBatchHandle
) -> None:
    world = installed(cluster, batch, admission={"enabled": False})

    world.create(a_task("other", queue="other"))

    eventually(lambda: world.is_in("Failed", "other"), "the controller refuses it")
    assert condition(world.tasks.get("other"), "Succeeded")["reason"] == "NotAllowed"
    assert world.calls("SubmitJob") == 0
