"""A workload is written again when its token ends before its job is submitted."""

import json

import jwt

from batchtask_api import ConditionType, Reason
from batchtask_executor.cluster.manifest import WorkloadSecret
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks
from unit.executor.following import condition, looks, settle, written


def test_a_task_whose_token_expires_is_given_a_fresh_one(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    task = written(executor)
    before = cluster.secrets[task.name]
    looks(executor, 130)
    blocked = condition(ConditionType.BLOCKED, Reason.TOKEN_EXPIRING)
    task.set_status(conditions=(blocked,))
    executor.loop_until(lambda: task.seen and task.seen.status.conditions)

    looks(executor)

    executor.loop_until(lambda: cluster.secrets[task.name].content != before.content)
    after = cluster.secrets[task.name]
    assert _jti(after) != _jti(before)
    assert after.owner == before.owner
    settle(executor)
    requests = cluster.requests["put_workload"]
    looks(executor)  # the controller hasn't looked yet
    assert cluster.requests["put_workload"] == requests
    looks(executor, 130)
    executor.loop_until(lambda: cluster.requests["put_workload"] == requests + 1)
    assert len(cluster.objects) == 1


def _jti(secret: WorkloadSecret) -> str:
    content = json.loads(secret.content.get_secret_value())
    return str(jwt.decode(content["token"], options={"verify_signature": False})["jti"])
