"""What importing a module brings along, each in a process of its own."""

import os
import subprocess
import sys

import pytest

from fakes.airflow import ENVIRONMENT

PURE = (
    "cluster.manifest",
    "following.outcome",
    "jobs.job",
    "jobs.merge",
    "jobs.shape",
    "cluster.tasks",
    "config",
    "following.table",
    "claim.instance",
    "claim.gate",
    "checks.health",
    "checks.advice",
    "checks.migrate",
    "jobs.short_forms",
    "cluster.writer",
    "cluster.cache",
    "view.links",
    "view.log_lines",
    "view.logs",
    "following.milestones",
    "redaction",
    "following.rows",
    "following.ledger",
    "following.inquiries",
    "following.adoption",
    "following.strays",
    "following.tracker",
)


def loaded_by(module: str) -> set[str]:
    script = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(run.stdout.split())


def test_the_pure_modules_need_nothing_heavy() -> None:
    loaded = loaded_by(", ".join(f"batchtask_executor.{name}" for name in PURE))

    assert not loaded & {"airflow", "kubernetes", "boto3", "botocore", "kopf", "sqlalchemy"}


@pytest.mark.parametrize("module", ["get_provider_info", "cli.definition"])
def test_what_every_airflow_process_reads_is_light(module: str) -> None:
    loaded = loaded_by(f"batchtask_executor.{module}")

    assert not loaded & {"airflow", "kubernetes", "pydantic", "boto3", "botocore", "kopf"}


def test_the_executor_brings_no_client_and_no_aws() -> None:
    loaded = loaded_by("batchtask_executor.executor")

    assert "airflow" in loaded
    assert not loaded & {"kubernetes", "boto3", "botocore", "kopf"}


def test_the_log_view_brings_no_client_before_it_is_asked() -> None:
    loaded = loaded_by("batchtask_executor.logging_config")

    assert "airflow" in loaded
    assert not loaded & {"kubernetes", "boto3", "botocore", "kopf"}


def test_the_reader_of_cloudwatch_brings_nothing_but_boto3() -> None:
    loaded = loaded_by("batchtask_executor.view.cloudwatch")

    assert "boto3" in loaded
    assert not loaded & {"airflow", "kubernetes", "kopf"}


def test_the_executor_brings_no_models() -> None:
    """It is loaded in the API server too, which may not have a database at hand."""
    script = (
        "import sys, batchtask_executor.executor;"
        "print('batchtask_executor.following.database' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.strip().endswith("False")


def test_the_adapter_brings_no_airflow() -> None:
    loaded = loaded_by("batchtask_executor.cluster.kube")

    assert "kubernetes" in loaded
    assert not loaded & {"airflow", "boto3", "botocore", "kopf"}
