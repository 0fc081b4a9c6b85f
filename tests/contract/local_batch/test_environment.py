"""What a job's process finds around it: its variables and folder, and nothing of the server's."""

import os
import subprocess
from pathlib import Path

import pytest
from types_boto3_batch import BatchClient
from types_boto3_logs import CloudWatchLogsClient

from batchtask_local.batch import LocalBatchConfig, Queue, running
from contract.local_batch.support import (
    NEEDS,
    TIME_SCALE,
    Jobs,
    batch_client,
    error,
    logs_client,
    make_definition,
    messages,
)


def environment(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines)


def test_a_job_has_its_definitions_its_own_and_batchs_variables(
    client: BatchClient, jobs: Jobs, logs: CloudWatchLogsClient, name: str
) -> None:
    variables = [{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}]
    properties = {"image": "x", "environment": variables, "resourceRequirements": NEEDS}
    make_definition(client, name, containerProperties=properties)
    overrides = {"command": ["env"], "environment": [{"name": "B", "value": "override"}]}

    job = jobs.run(jobDefinition=name, containerOverrides=overrides)

    found = environment(messages(logs, job["container"]["logStreamName"]))
    assert {key: found[key] for key in ("A", "B", "GREETING")} == {
        "A": "definition",
        "B": "override",
        "GREETING": "hello",
    }
    assert {key: value for key, value in found.items() if key.startswith("AWS_BATCH")} == {
        "AWS_BATCH_JOB_ID": job["jobId"],
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "main",
        "AWS_BATCH_CE_NAME": "main",
    }


def test_nothing_of_the_servers_environment_reaches_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    config = LocalBatchConfig(tmp_path, queues=[Queue("q", 1)], time_scale=TIME_SCALE)
    with running(config) as handle:
        client = batch_client(handle.url)
        make_definition(client, "d")
        job = Jobs(client, "q", "d").run("env")
        lines = messages(logs_client(handle.url), job["container"]["logStreamName"])

    found = environment(lines)
    batchs = {key for key in found if key.startswith("AWS_BATCH_")}
    assert set(found) - batchs == {"PATH", "HOME", "LANG"}
    assert found["HOME"] == str(tmp_path / "home")


def test_python_is_the_one_that_runs_local_batch(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.run("python", "-c", "import batchtask_local; print('found')")

    assert messages(logs, job["container"]["logStreamName"]) == ["found"]


def test_a_job_has_a_folder_that_goes_with_it(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.wait(jobs.shell("touch here && pwd && ls"))

    folder, listing = messages(logs, job["container"]["logStreamName"])
    assert listing == "here"
    assert not Path(folder).exists()


def test_a_job_has_a_session_and_group_of_its_own(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    job = jobs.run("python", "-c", "import os; print(os.getpid(), os.getpgid(0), os.getsid(0))")

    (line,) = messages(logs, job["container"]["logStreamName"])
    assert len(set(line.split())) == 1
    assert str(os.getsid(0)) not in line.split()


def test_standard_input_is_empty(jobs: Jobs) -> None:
    assert jobs.run("sh", "-c", "! read line")["status"] == "SUCCEEDED"


def test_references_in_a_command_become_parameters(
    client: BatchClient, jobs: Jobs, logs: CloudWatchLogsClient, name: str
) -> None:
    properties = {
        "image": "x",
        "command": ["echo", "Ref::what", "Ref::whom"],
        "resourceRequirements": NEEDS,
    }
    make_definition(client, name, parameters={"what": "hello"}, containerProperties=properties)

    job = jobs.run(jobDefinition=name, parameters={"whom": "world"})
    code, message = error(jobs.submit, jobDefinition=name)

    assert messages(logs, job["container"]["logStreamName"]) == ["hello world"]
    assert code == "ClientException"
    assert message == "Unable to substitute value. No parameter found for reference whom"


def test_variables_of_batchs_own_are_reserved(jobs: Jobs) -> None:
    reserved = [{"name": "AWS_BATCH_JOB_ID", "value": "mine"}]

    code, _ = error(jobs.submit, containerOverrides={"environment": reserved})

    assert code == "ClientException"


def test_a_command_needs_no_shell_and_keeps_every_character(
    jobs: Jobs, logs: CloudWatchLogsClient
) -> None:
    text = '{"a": "$HOME `id` * ; é \\\\ \'"}'

    job = jobs.run("printf", "%s", text)

    assert messages(logs, job["container"]["logStreamName"]) == [text]
    assert subprocess.run(["printf", "%s", text], capture_output=True).stdout.decode() == text
