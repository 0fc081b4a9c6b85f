"""The executor as Airflow loads it, on an API server."""

import json
from typing import Any

import jwt
import pytest

from batchtask_api import Phase, names
from batchtask_executor.cluster.manifest import task_name
from fakes.awaiting import until
from fakes.clusters import ServedCluster
from fakes.executors import ConfiguredExecutor
from integration.executor.conftest import StartExecutor

pytestmark = pytest.mark.integration


def name_of(workload: Any) -> str:
    return task_name(workload.ti.external_executor_id)


def written(executor: ConfiguredExecutor, cluster: ServedCluster, **of: Any) -> Any:
    workload = executor.queue(**of)
    executor.loop_until(lambda: cluster.workload(name_of(workload)))
    return workload


def test_a_task_goes_all_the_way(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    workload = written(executor, cluster, executor_config={"tags": {"cost_center": "7"}})
    task = cluster.read(name_of(workload))
    secret = cluster.workload(name_of(workload))
    assert task.spec.job == {
        "jobQueue": "analytics",
        "jobDefinition": "worker:7",
        "tags": {"cost_center": "7"},
    }
    assert task.metadata.labels[names.LABEL_INSTANCE] == "airflow"
    assert secret is not None
    assert secret.owner_uid == task.metadata.uid
    token = json.loads(secret.content)["token"]
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == str(workload.ti.id)

    cluster.set_status(name_of(workload), phase=Phase.RUNNING, job_id="1a2b")
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED, job_id="1a2b")

    state, info = executor.loop_until_event(workload.ti.key)
    assert state == "success"
    assert "1a2b" in info


def test_a_failure_carries_its_reason(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    workload = written(executor, cluster)

    reason = "Host EC2 (i-1) terminated"
    executor.rows.start(workload.ti)
    cluster.set_status(name_of(workload), phase=Phase.FAILED, job_id="1", status_reason=reason)

    state, info = executor.loop_until_event(workload.ti.key)
    assert state == "failed"
    assert reason in info


def test_many_tasks_go_out_and_come_back(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    workloads = [executor.queue(task_id=f"t{number}") for number in range(60)]
    executor.loop_until(
        lambda: [event for _, event, _ in executor.logged].count("batchtask created") == 60
    )

    for workload in workloads:
        cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)

    events = executor.loop_until(lambda: not executor.running)
    assert {state for state, _ in events.values()} <= {"success"}
    executor.pass_time(60)
    assert not executor.loop_until(lambda: not len(executor._table))


def test_deleting_a_task_takes_its_workload_along(
    cluster: ServedCluster, start: StartExecutor
) -> None:
    executor = start(cluster)
    workload = written(executor, cluster)

    cluster.delete(name_of(workload))
    cluster.release(name_of(workload))

    assert executor.loop_until_event(workload.ti.key)[0] == "failed"
    until(lambda: cluster.workload(name_of(workload)) is None, seconds=40)


def test_a_task_that_was_marked_is_cancelled(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    workload = written(executor, cluster)
    executor.rows.change(workload.ti, state="failed")

    executor.pass_time(16)
    executor.loop_until(lambda: not executor.running)

    until(lambda: cluster.read(name_of(workload)).spec.cancel)


def test_a_job_that_failed_before_its_task_started_is_made_again(
    cluster: ServedCluster, start: StartExecutor
) -> None:
    executor = start(cluster)
    workload = written(executor, cluster)

    cluster.set_status(name_of(workload), phase=Phase.FAILED, job_id="1")

    again = task_name(workload.ti.external_executor_id, 1)
    assert not executor.loop_until(lambda: cluster.workload(again))
    first, second = (cluster.workload(name) for name in (name_of(workload), again))
    assert first
    assert second
    assert first.content != second.content
    executor.rows.start(workload.ti)
    cluster.set_status(again, phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(workload.ti.key)[0] == "success"


def test_the_next_scheduler_takes_over(cluster: ServedCluster, start: StartExecutor) -> None:
    first = start(cluster)
    running, ended = written(first, cluster), written(first, cluster, task_id="ended")
    first.end()
    cluster.set_status(name_of(ended), phase=Phase.SUCCEEDED)

    first.wait_for_the_end()
    heir = start(cluster, rows=first.rows)
    assert list(heir.try_adopt_task_instances([running.ti, ended.ti])) == []

    assert heir.loop_until_event(ended.ti.key)[0] == "success"
    heir.loop_until(lambda: heir.running == {running.ti.key})
    cluster.set_status(name_of(running), phase=Phase.SUCCEEDED)
    assert heir.loop_until_event(running.ti.key)[0] == "success"


def test_a_stale_id_is_found_out(cluster: ServedCluster, start: StartExecutor) -> None:
    executor = start(cluster)
    first = written(executor, cluster)
    cluster.set_status(name_of(first), phase=Phase.SUCCEEDED)
    executor.loop_until_event(first.ti.key)

    stale = first.ti.external_executor_id
    second = executor.queue(id=first.ti.id, external_executor_id=stale)

    state, made = executor.loop_until_event(second.ti.key)
    assert state == "running"
    executor.loop_until(lambda: cluster.workload(task_name(made)))
    cluster.set_status(task_name(made), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(second.ti.key)[0] == "success"


def test_an_object_too_large_fails_its_task_only(
    cluster: ServedCluster, start: StartExecutor
) -> None:
    executor = start(cluster)
    large = executor.queue(executor_config={"parameters": {"a": "x" * 1_200_000}})
    small = executor.queue(task_id="small")

    state, info = executor.loop_until_event(large.ti.key)

    assert state == "failed"
    assert "it has 1,2" in info
    assert "shorten executor_config" in info
    executor.loop_until(lambda: cluster.workload(name_of(small)))
