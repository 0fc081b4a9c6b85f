"""Airflow's example DAGs come to the same ends on BatchTaskExecutor as on LocalExecutor."""

import pytest

from matrix.example import Cover, Feature
from matrix.outcomes import differences
from matrix.run import Result
from matrix.seen import is_seen
from matrix.selection import BOUNDS

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]


def test_both_executors_come_to_the_same_states_task_by_task(result: Result) -> None:
    assert differences(result.local, result.batchtask) == []


def test_every_dag_has_run_and_ended(chosen: Cover, result: Result) -> None:
    ended = {dag_id for (dag_id, _), state in result.local.runs.items() if state == "success"}

    assert ended == {example.dag_id for example in chosen.chosen}


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_was_at_work(feature: Feature, chosen: Cover, result: Result) -> None:
    assert is_seen(feature, chosen.chosen, result)


def test_a_queuing_costs_one_job_and_one_submit(result: Result) -> None:
    assert set(result.submits.values()) == {1}
    assert result.submits.total() == result.jobs.total()


def test_the_task_instances_are_as_few_as_they_are_said_to_be(result: Result) -> None:
    assert len(result.batchtask.instances) <= BOUNDS.tasks
