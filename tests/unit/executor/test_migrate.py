import configparser
import json
from argparse import Namespace
from typing import Any

import pytest

from batchtask_api import submit_job
from batchtask_executor.checks.migrate import NEW_PATH, migrated
from batchtask_executor.config import SECTION, Settings
from batchtask_executor.jobs.job import JobBuilder
from fakes.airflow import HOME  # noqa: F401 - before anything of Airflow's

OLD_PATH = "airflow.providers.amazon.aws.executors.batch.AwsBatchExecutor"
FULL = {
    "conn_id": "aws_prod",
    "region_name": "eu-west-1",
    "max_submit_job_attempts": "3",
    "check_health_on_startup": "True",
    "job_name": "airflow",
    "job_queue": "analytics",
    "job_definition": "worker:7",
    "submit_job_kwargs": json.dumps(
        {
            "job_name": "x",
            "containerOverrides": {
                "command": [],
                "environment": [{"name": "RATE", "value": "5%"}],
            },
            "tags": {"team_name": "data"},
        }
    ),
    "mystery": "1",
}


def read(lines: Any) -> configparser.ConfigParser:
    """Read it as Airflow does."""
    parser = configparser.ConfigParser()
    parser.read_string("\n".join(lines))
    return parser


def settings(lines: Any) -> Settings:
    section = dict(read(lines)[SECTION])
    section.pop("start_retries", None)
    return Settings.read(section.get)


def comments(lines: Any) -> str:
    return "\n".join(line for line in lines if line.startswith("#"))


def test_what_is_printed_is_a_configuration_that_makes_the_same_request() -> None:
    found = settings(migrated(OLD_PATH, FULL))

    job = JobBuilder(found, submit_job.schema()).job("default")
    assert job.parameters == {
        "jobQueue": "analytics",
        "jobDefinition": "worker:7",
        "containerOverrides": {"environment": [{"name": "RATE", "value": "5%"}]},
        "tags": {"team_name": "data"},
    }
    assert job.notes == ()


@pytest.mark.parametrize(
    "words",
    [
        "# conn_id = aws_prod: the controller calls AWS, with credentials of its own",
        "# region_name = eu-west-1: give it to the controller, as BATCHTASK_AWS_REGION",
        "# job_name = airflow: the controller names each job",
        "# submit_job_kwargs.job_name is dropped",
        "# check_health_on_startup = True: the health is always checked",
        "# max_submit_job_attempts = 3 meant two things",
        "# environment: a task's own items now go over those of the same name",
        "# mystery = 1: there is no such option",
        "# sets AIRFLOW__CORE__EXECUTOR itself, it must hold the same alias",
        "# A cluster is needed",
        "max_tis_per_query",
    ],
)
def test_a_comment_tells_each_thing_that_is_lost_or_changed(words: str) -> None:
    assert words in comments(migrated(OLD_PATH, FULL))


def test_a_run_more_than_the_first_is_a_retry_of_the_start() -> None:
    assert "start_retries = 2" in migrated(OLD_PATH, FULL)


def test_what_was_not_set_is_not_spoken_of() -> None:
    lines = migrated(OLD_PATH, {"job_queue": "analytics"})

    assert "job_name" not in "\n".join(lines)
    assert "conn_id" not in "\n".join(lines)
    assert settings(lines) == Settings(job_queue="analytics")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OLD_PATH, NEW_PATH),
        (f"batch:{OLD_PATH}", f"batch:{NEW_PATH}"),
        (f"LocalExecutor,batch:{OLD_PATH}", f"LocalExecutor,batch:{NEW_PATH}"),
        (
            f"LocalExecutor;team1={OLD_PATH};team2=b:{OLD_PATH},CeleryExecutor",
            f"LocalExecutor;team1={NEW_PATH};team2=b:{NEW_PATH},CeleryExecutor",
        ),
        ("LocalExecutor", "LocalExecutor"),
    ],
)
def test_the_class_is_changed_where_it_stands(before: str, after: str) -> None:
    assert read(migrated(before, {}))["core"]["executor"] == after


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ("{tags}", "# submit_job_kwargs is no JSON"),
        ("[]", "# This can't be used as it is:"),
        ('{"jobQeue": "x"}', "did you mean jobQueue?"),
        ('{"nodeOverrides": {"numNodes": 2}, "Tags": []}', "tags must be an object, not list"),
        (
            '{"containerOverrides": {"command": ["ls"]}}',
            "# containerOverrides.command is dropped: the Airflow workload is the command.",
        ),
    ],
)
def test_what_cannot_be_used_is_said_and_stops_nothing(kwargs: str, words: str) -> None:
    lines = migrated(OLD_PATH, {"submit_job_kwargs": kwargs})

    assert words in comments(lines)
    assert read(lines)


def test_the_command_reads_the_environment_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from batchtask_executor.cli.migrate_config import migrate_config

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", OLD_PATH)
    monkeypatch.setenv("AIRFLOW__AWS_BATCH_EXECUTOR__JOB_QUEUE", "from-the-environment")
    monkeypatch.setenv("AIRFLOW__AWS_BATCH_EXECUTOR__REGION_NAME", "eu-west-1")

    migrate_config(Namespace())

    lines = capsys.readouterr().out.splitlines()
    assert settings(lines).job_queue == "from-the-environment"
    assert read(lines)["core"]["executor"] == NEW_PATH
    assert "# region_name = eu-west-1" in comments(lines)
