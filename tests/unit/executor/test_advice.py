from typing import Any

import pytest

from batchtask_executor.checks.advice import reminders, warnings
from batchtask_executor.config import Settings

WELL = {
    ("core", "executor"): "batchtask_executor.BatchTaskExecutor",
    ("core", "parallelism"): "2000",
    ("core", "execution_api_server_url"): "https://airflow.example.com/execution/",
    ("scheduler", "max_tis_per_query"): "256",
    ("logging", "remote_logging"): "True",
}


def told(options: dict[tuple[str, str], str] | None = None, **settings: Any) -> list[str]:
    values = WELL | (options or {})

    def option(section: str, name: str) -> str | None:
        return values.get((section, name))

    return [*warnings(option, Settings(**settings)), *reminders(option)]


def test_where_all_is_well_nothing_is_said() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("section", "name", "value", "words"),
    [
        ("core", "parallelism", "32", "[core] parallelism is Airflow's default, 32"),
        ("scheduler", "max_tis_per_query", "16", "[scheduler] max_tis_per_query is Airflow's"),
        ("core", "execution_api_server_url", "", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"),
        (
            "core",
            "execution_api_server_url",
            "http://airflow-api-server:8080/execution/",
            "'http://airflow-api-server:8080/execution/' for Airflow's own components",
        ),
        (
            "core",
            "execution_api_server_url",
            "http://airflow:p@ssword@airflow-api-server:8080/execution/",
            "'http://***@airflow-api-server:8080/execution/' for",
        ),
        ("logging", "remote_logging", "False", "[logging] remote_logging is off"),
        (
            "core",
            "executor",
            "LocalExecutor,batchtask:batchtask_executor.BatchTaskExecutor",
            "has the alias 'batchtask': the containers",
        ),
        (
            "core",
            "executor",
            "LocalExecutor;team1=bt:batchtask_executor.BatchTaskExecutor",
            "has the alias 'bt': the containers",
        ),
        (
            "aws_batch_executor",
            "job_queue",
            "q",
            "[aws_batch_executor] job_queue stand in the configuration",
        ),
        ("aws_batch_executor", "region_name", "eu-west-1", "BATCHTASK_AWS_REGION"),
    ],
)
def test_one_thing_is_said_of_each_that_shows(
    section: str, name: str, value: str, words: str
) -> None:
    (note,) = told({(section, name): value})

    assert words in note


def test_an_old_section_that_was_migrated_is_left_alone() -> None:
    options = {
        ("aws_batch_executor", "job_queue"): "q",
        ("batchtask_executor", "job_queue"): "q",
    }

    assert told(options) == []


def test_beside_the_old_executor_its_section_is_left_alone() -> None:
    old = "airflow.providers.amazon.aws.executors.batch.AwsBatchExecutor"
    options = {
        ("core", "executor"): f"{old},batchtask_executor.BatchTaskExecutor",
        ("aws_batch_executor", "job_queue"): "q",
        ("aws_batch_executor", "region_name"): "eu-west-1",
    }

    assert told(options) == []


@pytest.mark.parametrize("key", ["retryStrategy", "retry_strategy"])
def test_attempts_that_would_start_a_started_task_again_are_told(key: str) -> None:
    (note,) = told(submit_job_kwargs={key: {"attempts": 3}})
    (of_a_queue,) = told(queues={"gpu": {"submit_job_kwargs": {key: {"attempts": 3}}}})

    assert note.startswith("[batchtask_executor] submit_job_kwargs has 3 attempts without")
    assert of_a_queue.startswith("[batchtask_executor] queues.gpu.submit_job_kwargs has 3")


@pytest.mark.parametrize(
    "strategy",
    [
        {"attempts": 1},
        {"attempts": 3, "evaluateOnExit": [{"action": "RETRY", "onReason": "Host EC2*"}]},
        {"attempts": "many"},
        "three",
    ],
)
def test_other_retry_strategies_are_the_users_own_affair(strategy: object) -> None:
    assert told(submit_job_kwargs={"retryStrategy": strategy}) == []
