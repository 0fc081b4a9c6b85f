"""The probe's task is made as a task of Airflow's would be, in each shape."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchtask_api import (
    BatchTask,
    BatchTaskStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    names,
    submit_job,
)
from batchtask_executor.checks.probe import command, probe_task, progress, verdict
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import JobBuilder

EXAMPLE = Path(__file__).parents[3] / "manifests" / "examples" / "aws" / "probe.yaml"
MOST_CHARACTERS = 8192
ENVIRONMENT = {"environment": [{"name": "A", "value": "1"}]}


def made(**options: Any) -> BatchTask:
    settings = Settings(job_queue="airflow", job_definition="airflow-worker", **options)
    job = JobBuilder(settings, submit_job.schema()).job("default")
    return probe_task(job, namespace=settings.namespace, name="probe")


@pytest.mark.parametrize(
    ("options", "overrides"),
    [
        ({}, {"containerOverrides": {"command": command()}}),
        (
            {"submit_job_kwargs": {"containerOverrides": ENVIRONMENT}},
            {"containerOverrides": {**ENVIRONMENT, "command": command()}},
        ),
        (
            {"shape": "ecs", "container": "main"},
            {
                "ecsPropertiesOverride": {
                    "taskProperties": [{"containers": [{"name": "main", "command": command()}]}]
                }
            },
        ),
        (
            {"shape": "eks", "container": "main"},
            {
                "eksPropertiesOverride": {
                    "podProperties": {"containers": [{"name": "main", "args": command()}]}
                }
            },
        ),
    ],
    ids=["container", "container with more", "ecs", "eks"],
)
def test_the_command_goes_where_the_workload_would(
    options: dict[str, Any], overrides: dict[str, Any]
) -> None:
    job = made(**options).spec.job

    assert {key: job[key] for key in job if key.endswith("verride") or "Overrides" in key} == (
        overrides
    )
    assert (job["jobQueue"], job["jobDefinition"]) == ("airflow", "airflow-worker")
    assert job["retryStrategy"] == {"attempts": 1}


def test_the_command_leaves_room_in_what_batch_takes() -> None:
    overrides = made(shape="eks", container="main").spec.job["eksPropertiesOverride"]

    assert len(json.dumps(overrides)) < MOST_CHARACTERS - 1024


def test_kubernetes_expands_nothing_in_it() -> None:
    assert "$(" not in command()[-1]


def test_it_is_none_of_the_instances_tasks() -> None:
    task = made()

    assert task.metadata.labels == {}
    assert (task.spec.workload, task.spec.airflow) == (None, None)


def test_the_example_is_what_is_made() -> None:
    example = yaml.safe_load(EXAMPLE.read_text("utf-8"))

    assert example == {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "probe", "namespace": names.DEFAULT_NAMESPACE},
        "spec": {"job": made().spec.job},
    }


def seen(phase: Phase, *, condition: Condition | None = None, **status: Any) -> BatchTask:
    conditions = (condition,) if condition else ()
    whole = BatchTaskStatus(phase=phase, conditions=conditions, **status)
    return made().model_copy(update={"status": whole})


def a_condition(of: ConditionType, status: ConditionStatus, reason: Reason) -> Condition:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    said = "AWS's own words"
    return Condition(type=of, status=status, reason=reason, message=said, last_transition_time=at)


def test_the_verdict_is_what_the_job_wrote() -> None:
    task = seen(Phase.FAILED, exit_code=11, log_tail=("asking …", "WRONG: DNS: …"))

    assert list(verdict(task)) == ["asking …", "WRONG: DNS: …"]


def test_without_its_output_the_exit_code_says_it() -> None:
    assert list(verdict(seen(Phase.FAILED, exit_code=11))) == [
        "DNS: the API's name has no address in the job's network"
    ]


def test_a_job_that_never_ran_it_is_told_apart() -> None:
    failed = a_condition(ConditionType.SUCCEEDED, ConditionStatus.FALSE, Reason.INVALID_SPEC)

    said = list(verdict(seen(Phase.FAILED, condition=failed)))

    assert said == ["the job did not run the probe: InvalidSpec: AWS's own words"]


def test_progress_says_what_blocks_it() -> None:
    is_blocked = a_condition(ConditionType.BLOCKED, ConditionStatus.TRUE, Reason.INVALID_SPEC)
    was_blocked = a_condition(ConditionType.BLOCKED, ConditionStatus.FALSE, Reason.UNBLOCKED)

    assert progress(seen(Phase.PENDING, condition=is_blocked)) == "Pending: AWS's own words"
    assert progress(seen(Phase.RUNNABLE, condition=was_blocked)) == "Runnable"
