"""The examples run without Airflow, and what is wrong in one is refused with the field's name."""

import subprocess
from pathlib import Path

import boto3
import pytest
import yaml

from batchtask_local.apiserver import binaries
from e2e.conftest import Run

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]

EXAMPLES = Path(__file__).parents[2] / "manifests" / "examples"


def _kubectl(run: Run, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binaries.kubectl()), "--kubeconfig", str(run.stage.cluster.kubeconfig), *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_examples_run_to_their_end(run: Run) -> None:
    names = [
        yaml.safe_load(file.read_text())["metadata"]["name"] for file in EXAMPLES.glob("*.yaml")
    ]

    applied = _kubectl(run, "apply", "-f", str(EXAMPLES))
    waited = _kubectl(
        run,
        *("wait", "--for=condition=Succeeded", "--timeout=60s", "--namespace=airflow-tasks"),
        *(f"bt/{name}" for name in names),
    )

    assert applied.returncode == 0, applied.stderr
    assert waited.returncode == 0, waited.stderr


def test_the_output_of_an_example_is_readable(run: Run) -> None:
    _kubectl(run, "apply", "-f", str(EXAMPLES / "hello.yaml"))
    words = ("--namespace=airflow-tasks", "bt/hello")
    _kubectl(run, "wait", "--for=condition=Succeeded", "--timeout=60s", *words)
    status = yaml.safe_load(_kubectl(run, "get", *words, "-o", "yaml").stdout)["status"]
    logs = boto3.client(
        "logs",
        endpoint_url=run.stage.batch.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )

    events = logs.get_log_events(
        logGroupName="/aws/batch/job", logStreamName=status["logStreamName"]
    )["events"]

    assert any(status["jobId"] in event["message"] for event in events)


@pytest.mark.parametrize(
    ("job", "named"),
    [
        (
            {"jobQueue": "default", "jobDefinition": "local-shell", "jobQeue": "x"},
            "spec.job.jobQeue",
        ),
        ({"jobQueue": 5, "jobDefinition": "local-shell"}, "spec.job.jobQueue"),
        ({"jobDefinition": "local-shell"}, "spec.job.jobQueue"),
    ],
    ids=["unknown field", "wrong type", "missing queue"],
)
def test_a_wrong_example_is_refused_with_the_fields_name(
    run: Run, job: dict[str, object], named: str
) -> None:
    task = {
        "apiVersion": "batchtask.dev/v1alpha1",
        "kind": "BatchTask",
        "metadata": {"name": "wrong", "namespace": "airflow-tasks"},
        "spec": {"job": job},
    }

    refused = _kubectl(run, "apply", "-f", "-", stdin=yaml.safe_dump(task))

    assert refused.returncode != 0
    assert named in refused.stderr
