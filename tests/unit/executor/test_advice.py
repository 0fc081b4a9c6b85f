from typing import Any

import pytest

from batchtask_executor.checks.advice import reminders, unread, warnings
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


SIDE_BY_SIDE = {("core", "executor"): "LocalExecutor;team1=bt:batchtask_executor.BatchTaskExecutor"}
VARIABLE = "AIRFLOW__CORE__EXECUTOR"


@pytest.mark.parametrize(
    "kwargs",
    [
        {"containerOverrides": {"environment": [{"name": VARIABLE, "value": "LocalExecutor"}]}},
        {"env": {VARIABLE: "batchtask_executor.BatchTaskExecutor"}},
    ],
)
def test_a_variable_that_hides_the_alias_from_jobs_is_told(kwargs: dict[str, Any]) -> None:
    (note,) = told(SIDE_BY_SIDE, submit_job_kwargs=kwargs)
    (of_a_queue,) = told(SIDE_BY_SIDE, queues={"gpu": {"submit_job_kwargs": kwargs}})

    assert note.startswith(f"[batchtask_executor] submit_job_kwargs sets {VARIABLE}")
    assert "without 'bt'" in note
    assert of_a_queue.startswith("[batchtask_executor] queues.gpu.submit_job_kwargs sets")


@pytest.mark.parametrize("env", [{}, {VARIABLE: "bt:batchtask_executor.BatchTaskExecutor"}])
def test_an_alias_that_jobs_are_given_is_no_matter(env: dict[str, str]) -> None:
    assert told(SIDE_BY_SIDE, submit_job_kwargs={"env": env}) == []


def test_a_name_that_is_no_option_is_told_with_what_may_be_meant() -> None:
    found = unread(["job_que", "job_queue", "zzz"])

    assert found == [
        "[batchtask_executor] job_que is no option, so it has no effect: is job_queue meant?",
        "[batchtask_executor] zzz is no option, so it has no effect",
    ]


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
