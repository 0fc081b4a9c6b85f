"""What the API server is told of a running task, by an executor that it only constructed."""

import json
import threading
from typing import Any

import pytest

from batchtask_executor.cluster.tasks import BatchTasks, Unavailable
from batchtask_executor.config import Settings
from batchtask_executor.view.logs import ANSWER_WITHIN
from fakes.executors import ConfiguredExecutor, ExecutorOver
from fakes.task_instances import Ti, create, ran
from fakes.tasks import FakeBatchTasks


def test_an_executor_that_was_never_started_says_what_its_task_says(
    cluster: FakeBatchTasks,
) -> None:
    name = create(cluster, **ran())
    executor = ExecutorOver(cluster)

    sources, lines = executor.get_task_log(Ti(), 1)

    assert sources[0].startswith(f"BatchTask airflow-tasks/{name}")
    started, output = [json.loads(line)["event"] for line in lines][-2:]
    assert started == "The job's container started"
    assert output.startswith("The job's output is in https://console.aws.amazon.com/cloudwatch/")


def test_the_constructor_makes_no_client() -> None:
    class Connecting(ConfiguredExecutor):
        def connect(self, settings: Settings, answer_within: float | None = None) -> BatchTasks:
            raise AssertionError(f"connected with {settings}, for {answer_within} s")

    before = threading.active_count()

    executor = Connecting()

    assert threading.active_count() == before
    sources, _ = executor.get_task_log(Ti(), 1)
    assert "connected with" in sources[0]
    assert f"for {ANSWER_WITHIN} s" in sources[0]


@pytest.mark.parametrize("ti", [Ti(task_id="other"), Ti(map_index=3), object()])
def test_there_is_always_a_source(cluster: FakeBatchTasks, ti: Any) -> None:
    create(cluster)

    sources, _ = ExecutorOver(cluster).get_task_log(ti, 1)

    assert len(sources) == 1


def test_of_a_task_that_is_not_there_nothing_is_told(cluster: FakeBatchTasks) -> None:
    _, lines = ExecutorOver(cluster).get_task_log(Ti(), 1)

    assert lines == []


def test_an_api_server_that_is_down_is_a_source(cluster: FakeBatchTasks) -> None:
    cluster.down = Unavailable("no answer from the API server")

    sources, lines = ExecutorOver(cluster).get_task_log(Ti(), 1)

    assert sources == ["BatchTasks can't be read: no answer from the API server"]
    assert [json.loads(line)["event"] for line in lines] == sources


def test_options_that_are_wrong_are_a_source(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("AIRFLOW__BATCHTASK_EXECUTOR__INSTANCE", "no spaces")

    sources, _ = ConfiguredExecutor().get_task_log(Ti(), 1)

    assert "[batchtask_executor] instance" in sources[0]
