"""The executor beside others, as Airflow's own loader makes it: by alias, and for a team."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.executors import executor_loader
from airflow.executors.executor_loader import ExecutorLoader

from fakes.awaiting import until
from fakes.executors import LoadedExecutor
from fakes.tasks import FakeBatchTasks

CLASS = f"{LoadedExecutor.__module__}.{LoadedExecutor.__name__}"
Load = Callable[[str], list[Any]]


@pytest.fixture
def load(configured: pytest.MonkeyPatch) -> Iterator[Load]:
    """Load all executors of a value of [core] executor, but for Airflow's check of its teams."""
    made: list[Any] = []

    def load(value: str) -> list[Any]:
        configured.setenv("AIRFLOW__CORE__EXECUTOR", value)
        _forget()
        names = ExecutorLoader.get_executor_names(validate_teams=False)
        made.extend(ExecutorLoader.load_executor(name) for name in names)
        return made

    yield load
    for executor in made:
        if isinstance(executor, LoadedExecutor):
            executor.end()
            executor.wait_for_the_end()
    _forget()


def _forget() -> None:
    executor_loader._executor_names.clear()
    executor_loader._alias_to_executors_per_team.clear()
    executor_loader._module_to_executors_per_team.clear()
    executor_loader._classname_to_executors_per_team.clear()
    executor_loader._team_name_to_executors.clear()


def only_task(executor: Any) -> Any:
    cluster: FakeBatchTasks = executor.cluster
    until(lambda: executor.loop() is not None and cluster.secrets)
    (task,) = cluster.objects.values()
    return task


def test_beside_local_executor_the_job_can_parse_a_dag_that_names_it(load: Load) -> None:
    value = f"LocalExecutor,batchtask:{CLASS}"
    _, executor = load(value)
    executor.start()
    executor.queue()

    task = only_task(executor)

    assert task.spec.airflow.executor_name == "batchtask"
    assert task.spec.job["containerOverrides"]["environment"] == [
        {"name": "AIRFLOW__CORE__EXECUTOR", "value": value}
    ]


def test_a_container_that_lacks_the_alias_is_told_where_its_user_looks(load: Load) -> None:
    _, executor = load(f"LocalExecutor,batchtask:{CLASS}")
    executor.start()
    variable = {"name": "AIRFLOW__CORE__EXECUTOR", "value": "LocalExecutor"}
    executor.queue(executor_config={"containerOverrides": {"environment": [variable]}})

    executor.loop_until(lambda: executor.logged)

    ((_, event, text),) = executor.logged
    assert event == "batchtask created"
    assert "without 'batchtask'" in text


def test_a_team_has_a_configuration_of_its_own_and_nobody_elses(
    load: Load, configured: pytest.MonkeyPatch
) -> None:
    configured.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    configured.setenv("AIRFLOW__RED___BATCHTASK_EXECUTOR__JOB_QUEUE", "red-queue")
    configured.setenv("AIRFLOW__RED___BATCHTASK_EXECUTOR__JOB_DEFINITION", "red-worker")
    value = f"batchtask:{CLASS};red=batchtask:{CLASS};blue=batchtask:{CLASS}"
    common, red, blue = load(value)
    for executor in (common, red, blue):
        executor.start()
    workloads = [executor.queue() for executor in (common, red, blue)]

    assert [executor.team_name for executor in (common, red, blue)] == [None, "red", "blue"]
    for executor, words in (
        (common, ("analytics", "worker:7")),
        (red, ("red-queue", "red-worker")),
    ):
        job = only_task(executor).spec.job
        assert (job["jobQueue"], job["jobDefinition"]) == words
        assert job["containerOverrides"]["environment"] == [
            {"name": "AIRFLOW__CORE__EXECUTOR", "value": value},
            {"name": "AIRFLOW__CORE__MULTI_TEAM", "value": "True"},
        ]
    state, info = blue.loop_until_event(workloads[-1].ti.key)
    assert (state, "no jobQueue" in info) == ("failed", True)


def test_a_team_is_warned_of_airflows_options_as_they_are_for_all(
    load: Load, configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    configured.setenv("AIRFLOW__LOGGING__REMOTE_LOGGING", "True")
    configured.setenv("AIRFLOW__RED___BATCHTASK_EXECUTOR__JOB_QUEUE", "red-queue")
    configured.setenv("AIRFLOW__RED___BATCHTASK_EXECUTOR__JOB_DEFINITION", "red-worker")
    _, red = load(f"LocalExecutor;red=batchtask:{CLASS}")

    red.start()

    told = capsys.readouterr().out
    assert "[core] parallelism is Airflow's default, 32" in told
    assert "remote_logging is off" not in told
