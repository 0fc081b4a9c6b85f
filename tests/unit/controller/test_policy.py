"""The controller's own check of what a namespace may name."""

import asyncio

import pytest

from batchtask_api import ConditionType, Phase, Reason, names
from batchtask_api.policy import Allowed
from batchtask_controller.batch import JobStatus
from batchtask_controller.config import Settings
from builders import a_task
from unit.controller.world import World

OWN = {names.DEFAULT_NAMESPACE: Allowed(job_queues=("default",), job_definitions=("worker",))}
OTHERS = {"other": OWN[names.DEFAULT_NAMESPACE]}


async def test_what_is_not_allowed_ends_the_task_before_any_call(world: World) -> None:
    world.start(policy=OTHERS)

    world.cluster.add(a_task(workload=True))
    await asyncio.sleep(5)

    end = world.cluster.task("bt-1").status.condition(ConditionType.SUCCEEDED)
    assert world.phase() is Phase.FAILED
    assert end is not None
    assert (end.reason, "allowed: none" in end.message) == (Reason.NOT_ALLOWED, True)
    assert not world.batch.calls
    assert world.cluster.requests["workload"] == 0


async def test_a_list_that_shrank_ends_no_task_whose_job_runs(world: World) -> None:
    one = world.start(policy=OWN)
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    await one.stop()

    world.start("two", policy=OTHERS)
    await asyncio.sleep(20)
    await world.run_job(status=JobStatus.SUCCEEDED)

    assert world.phase() is Phase.SUCCEEDED


def test_the_policy_is_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "BATCHTASK_POLICY",
        '{"airflow-tasks": {"jobQueues": ["default"], "jobDefinitions": ["worker"]}}',
    )

    assert Settings().policy == OWN
