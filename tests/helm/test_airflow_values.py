"""The values for the official Airflow chart, held against what is known of that chart.

`make airflow-chart` renders them with the chart itself, which isn't kept here.
"""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchtask_api import rbac
from batchtask_executor import BatchTaskExecutor
from batchtask_executor.config import SECTION, Settings
from batchtask_local.demo.airflow import EXECUTOR

ROOT = Path(__file__).parents[2]
VALUES: dict[str, Any] = yaml.safe_load((ROOT / "helm" / "airflow-values.yaml").read_text("utf-8"))

EXECUTOR_PATTERN = re.compile(
    r"^(([a-zA-Z_][a-zA-Z0-9_]*.)*[A-Z][a-zA-Z0-9]+Executor)"
    r"(,(([a-zA-Z_][a-zA-Z0-9_]*.)*[A-Z][a-zA-Z0-9]+Executor))*$"
)
"""That of the schema from chart 1.19 on."""
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
KNOWN_PATHS = {
    "executor",
    "images.airflow.repository",
    "images.airflow.tag",
    "airflowVersion",
    "jwtSecretName",
    "scheduler.serviceAccount.name",
    "apiServer.serviceAccount.name",
    "apiServer.serviceAccount.automountServiceAccountToken",
    "apiServer.env",
    f"config.{SECTION}",
}
"""All of them were rendered by charts 1.19 to 1.21; the root takes a wrong one in silence."""
OLDEST = (3, 2, 2)


def paths(values: Any, prefix: str = "") -> set[str]:
    if not isinstance(values, dict) or prefix == f"config.{SECTION}":
        return {prefix}
    return {
        path
        for key, value in values.items()
        for path in paths(value, f"{prefix}.{key}" if prefix else key)
    }


def test_the_values_are_the_charts() -> None:
    assert paths(VALUES) == KNOWN_PATHS


def test_the_chart_takes_the_executor() -> None:
    executor = VALUES["executor"]

    assert EXECUTOR_PATTERN.fullmatch(executor)
    assert LABEL.fullmatch(executor.replace(",", "-").replace(":", "-")[:63])  # from 1.22 on


def test_the_executor_has_the_alias_and_is_there() -> None:
    module, _, name = VALUES["executor"].partition(":")[2].rpartition(".")

    assert VALUES["executor"] == EXECUTOR
    assert getattr(importlib.import_module(module), name) is BatchTaskExecutor


@pytest.mark.parametrize("word", ["Local", "Celery", "Kubernetes"])
def test_the_executors_name_turns_on_nothing_else_of_the_chart(word: str) -> None:
    assert word not in VALUES["executor"]


def test_the_image_and_the_version_go_together_and_are_served() -> None:
    version = VALUES["airflowVersion"]

    assert VALUES["images"]["airflow"]["tag"] == version
    assert tuple(map(int, version.split("."))) >= OLDEST


def test_the_accounts_are_those_that_are_given_rights() -> None:
    bindings = [grant.binding() for grant in rbac.grants()]
    given = {
        subject["name"]
        for binding in bindings
        for subject in binding["subjects"]
        if subject["namespace"] == "airflow"
    }

    assert given == {
        VALUES["scheduler"]["serviceAccount"]["name"],
        VALUES["apiServer"]["serviceAccount"]["name"],
    }
    assert VALUES["apiServer"]["serviceAccount"]["automountServiceAccountToken"] is True


def test_the_chart_beside_it_means_the_same_accounts_and_namespace() -> None:
    chart = ROOT / "helm" / "airflow-batchtask" / "values.yaml"
    airflow = yaml.safe_load(chart.read_text("utf-8"))["airflow"]

    for component in ("scheduler", "apiServer"):
        ours = airflow[component]["serviceAccount"]
        assert ours == VALUES[component]["serviceAccount"]["name"]
    assert airflow["tasksNamespace"] == VALUES["config"][SECTION]["namespace"]


def test_the_jwt_key_outlives_an_upgrade() -> None:
    assert VALUES["jwtSecretName"]
    assert "jwtSecret" not in VALUES


def test_the_executors_options_are_known_and_right() -> None:
    options = VALUES["config"][SECTION]

    settings = Settings.read(options.get)

    assert options.keys() <= Settings.model_fields.keys()
    assert settings.in_cluster
    assert (settings.job_queue, settings.job_definition) == ("airflow", "airflow-worker")


def test_the_log_view_is_turned_on_by_what_is_there() -> None:
    [variable] = VALUES["apiServer"]["env"]
    module, _, name = variable["value"].rpartition(".")

    assert variable["name"] == "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS"
    assert variable["value"] in (ROOT / "docs" / "logs.md").read_text("utf-8")
    assert isinstance(getattr(importlib.import_module(module), name), dict)
