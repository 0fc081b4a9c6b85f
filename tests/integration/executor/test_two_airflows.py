"""Two Airflows, each with a database of its own, under one instance in one namespace."""

from datetime import UTC, datetime
from typing import Any

import pytest

from batchtask_executor.cluster.manifest import task_name
from fakes.clusters import ServedCluster
from integration.executor.conftest import StartExecutor

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def name_of(workload: Any) -> str:
    return task_name(workload.ti.external_executor_id)


def test_the_second_harms_nothing_and_is_told_so(
    cluster: ServedCluster, start: StartExecutor
) -> None:
    first = start(cluster, airflow="first")
    task = first.queue(task_id="theirs")
    first.loop_until(lambda: cluster.workload(name_of(task)))

    second = start(cluster, airflow="second")
    refused = second.queue(task_id="ours")
    state, info = second.loop_until_event(refused.ti.key)
    cleared: Any = task.ti  # as if its row had been here
    second.revoke_task(ti=cleared)
    asked = second.queue(task_id="after")
    second.loop_until_event(asked.ti.key)

    assert state == "failed"
    assert "belongs to another Airflow (https://first.example, id first, since 20" in info
    assert ("ours", "batchtask refused", info) in second.logged
    assert {each.metadata.name for each in cluster.tasks.list().tasks} == {name_of(task)}
    assert not cluster.read(name_of(task)).spec.cancel


def test_after_a_claim_it_is_the_other_way_round(
    cluster: ServedCluster, start: StartExecutor
) -> None:
    first = start(cluster, airflow="first")
    task = first.queue()
    first.loop_until(lambda: cluster.workload(name_of(task)))  # so it holds the instance
    second = start(cluster, airflow="second")
    refused = second.queue()
    second.loop_until_event(refused.ti.key)

    settings = cluster.settings()
    claimant = second.claimant(settings)
    claimant.claims.take_over(claimant.claim(NOW))

    second = start(cluster, airflow="second")
    taken = second.queue()
    second.loop_until(lambda: cluster.workload(name_of(taken)))
    first = start(cluster, airflow="first")
    late = first.queue()
    assert "belongs to another Airflow (https://second" in first.loop_until_event(late.ti.key)[1]


def test_two_instances_in_one_namespace_know_nothing_of_each_other(
    cluster: ServedCluster, start: StartExecutor
) -> None:
    first = start(cluster, airflow="first", instance="blue")
    second = start(cluster, airflow="second", instance="green")

    ours, theirs = first.queue(), second.queue()

    first.loop_until(lambda: cluster.workload(name_of(ours)))
    second.loop_until(lambda: cluster.workload(name_of(theirs)))
