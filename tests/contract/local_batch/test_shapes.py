"""Definitions with ecsProperties and eksProperties: what runs, and where its results stand."""

from typing import Any

import pytest
from types_boto3_batch import BatchClient
from types_boto3_logs import CloudWatchLogsClient

from contract.local_batch.support import NEEDS, Jobs, error, make_definition, messages


@pytest.fixture
def ecs(client: BatchClient, jobs: Jobs, name: str) -> Jobs:
    containers = [
        {"name": "main", "image": "a", "command": ["echo", "main"], "resourceRequirements": NEEDS},
        {"name": "side", "image": "b", "command": ["echo", "side"], "resourceRequirements": NEEDS},
    ]
    properties: Any = {"taskProperties": [{"containers": containers}]}
    client.register_job_definition(
        jobDefinitionName=name, type="container", ecsProperties=properties
    )
    return Jobs(client, jobs.queue, name)


@pytest.fixture
def eks(client: BatchClient, jobs: Jobs, name: str) -> Jobs:
    container = {
        "image": "a",
        "command": ["sh", "-c"],
        "args": ["exit 3"],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}},
    }
    properties: Any = {"podProperties": {"containers": [container]}}
    client.register_job_definition(
        jobDefinitionName=name, type="container", eksProperties=properties
    )
    return Jobs(client, jobs.queue, name)


def ecs_override(**container: Any) -> dict[str, Any]:
    return {"ecsPropertiesOverride": {"taskProperties": [{"containers": [container]}]}}


def eks_override(**container: Any) -> dict[str, Any]:
    return {"eksPropertiesOverride": {"podProperties": {"containers": [container]}}}


def test_the_first_container_runs(ecs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = ecs.run()

    main, side = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert messages(logs, main["logStreamName"]) == ["main"]
    assert main["exitCode"] == 0
    assert "exitCode" not in side
    assert main["logStreamName"].split("/")[1] == "main"


def test_the_overridden_container_runs(ecs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = ecs.run(**ecs_override(name="side", command=["sh", "-c", "echo mine; exit 4"]))

    _, side = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert messages(logs, side["logStreamName"]) == ["mine"]
    assert side["command"] == ["sh", "-c", "echo mine; exit 4"]
    assert side["exitCode"] == 4


def test_attempts_of_a_task_show_its_containers(ecs: Jobs) -> None:
    job = ecs.run(**ecs_override(name="main", command=["false"]), retryStrategy={"attempts": 2})

    for attempt in job["attempts"]:
        (task,) = attempt["taskProperties"]
        assert [shown["exitCode"] for shown in task["containers"]] == [1]
    assert job["container"] == {}


def test_args_follow_the_entrypoint(eks: Jobs) -> None:
    job = eks.run(**eks_override(args=["test $A = 2"], env=[{"name": "A", "value": "2"}]))

    (shown,) = job["eksProperties"]["podProperties"]["containers"]
    assert job["status"] == "SUCCEEDED"
    assert shown["command"] == ["sh", "-c"]
    assert shown["args"] == ["test $A = 2"]
    assert shown["exitCode"] == 0


def test_attempts_of_a_pod_show_its_containers(eks: Jobs) -> None:
    job = eks.run(retryStrategy={"attempts": 2})

    assert job["status"] == "FAILED"
    exit_codes = [
        shown["exitCode"] for attempt in job["eksAttempts"] for shown in attempt["containers"]
    ]
    assert exit_codes == [3, 3]
    assert job["eksProperties"]["podProperties"]["podName"].startswith("aws-batch.")


@pytest.mark.parametrize("shape", ["ecs", "eks"])
def test_the_overrides_limit_is_the_same(shape: str, request: pytest.FixtureRequest) -> None:
    jobs: Jobs = request.getfixturevalue(shape)
    override = ecs_override if shape == "ecs" else eks_override

    job = jobs.run(**override(command=["echo", "x" * 8192]))

    assert job["statusReason"] == "Container Overrides length must be at most 8192"


def test_overrides_of_another_shape_are_refused(ecs: Jobs, eks: Jobs, jobs: Jobs) -> None:
    for submit, override in (
        (ecs.submit, {"containerOverrides": {"command": ["true"]}}),
        (eks.submit, ecs_override(command=["true"])),
        (jobs.submit, eks_override(args=["true"])),
    ):
        code, message = error(submit, **override)

        assert code == "ClientException"
        assert "should not be set for" in message


def test_multi_node_definitions_are_refused_by_name(client: BatchClient, name: str) -> None:
    code, message = error(make_definition, client=client, name=name, type="multinode")

    assert code == "ClientException"
    assert "multinode" in message
