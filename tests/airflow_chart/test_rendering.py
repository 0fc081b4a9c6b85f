"""helm/airflow-values.yaml, rendered by the official chart: `make airflow-chart CHART=…`.

The chart is Apache's and isn't kept here; AIRFLOW_CHART says where it is.
"""

import configparser
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchtask_local.apiserver import binaries

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "helm" / "airflow-values.yaml"
VALUES = yaml.safe_load(OVERLAY.read_text("utf-8"))
DATABASE = ("postgresql.enabled=false", "data.metadataConnection.host=db")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")

Body = dict[str, Any]


@pytest.fixture(scope="module", params=["airflow", "prod"])
def objects(request: pytest.FixtureRequest) -> list[Body]:
    """What a release makes; the names of accounts must not depend on the release's."""
    settings = [word for each in DATABASE for word in ("--set", each)]
    words = ["template", request.param, os.environ["AIRFLOW_CHART"], "--namespace", "airflow"]
    done = subprocess.run(
        [binaries.helm(), *words, "--values", str(OVERLAY), *settings],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [body for body in yaml.safe_load_all(done.stdout) if body]


def of_component(objects: list[Body], component: str) -> Body:
    """The one object that runs pods of a component of Airflow's."""
    kinds = {"Deployment", "StatefulSet"}
    [found] = [
        body
        for body in objects
        if body["kind"] in kinds and body["metadata"]["labels"]["component"] == component
    ]
    return found


def pod(body: Body) -> Body:
    found: Body = body["spec"]["template"]["spec"]
    return found


def environment(body: Body) -> dict[str, Any]:
    container = pod(body)["containers"][0]
    return {
        each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])
    }


def test_the_scheduler_is_a_deployment_and_there_are_no_workers(objects: list[Body]) -> None:
    running = {
        body["metadata"]["labels"]["component"]: body["kind"]
        for body in objects
        if body["kind"] in {"Deployment", "StatefulSet"}
    }

    assert running["scheduler"] == "Deployment"
    assert running.keys() == {"scheduler", "api-server", "dag-processor", "triggerer", "statsd"}


@pytest.mark.parametrize(
    ("component", "account"),
    [("scheduler", "airflow-scheduler"), ("api-server", "airflow-api-server")],
)
def test_its_account_is_the_one_with_the_rights(
    objects: list[Body], component: str, account: str
) -> None:
    runs = pod(of_component(objects, component))
    made = {each["metadata"]["name"]: each for each in objects if each["kind"] == "ServiceAccount"}

    assert runs["serviceAccountName"] == account
    assert runs.get("automountServiceAccountToken", True)
    assert made[account].get("automountServiceAccountToken", True)


def test_airflow_is_told_of_the_executor(objects: list[Body]) -> None:
    [text] = [
        body["data"]["airflow.cfg"]
        for body in objects
        if body["kind"] == "ConfigMap" and "airflow.cfg" in body["data"]
    ]
    config = configparser.RawConfigParser()
    config.read_string(text)

    assert config["core"]["executor"] == VALUES["executor"]
    assert dict(config["batchtask_executor"]) == VALUES["config"]["batchtask_executor"]


def test_the_key_is_the_users_own(objects: list[Body]) -> None:
    wanted = {"secretKeyRef": {"name": VALUES["jwtSecretName"], "key": "jwt-secret"}}

    assert [b for b in objects if b["kind"] == "Secret" and "jwt" in b["metadata"]["name"]] == []
    for component in ("scheduler", "api-server"):
        found = environment(of_component(objects, component))["AIRFLOW__API_AUTH__JWT_SECRET"]
        assert found == wanted


def test_the_log_view_is_the_api_servers_alone(objects: list[Body]) -> None:
    [wanted] = VALUES["apiServer"]["env"]
    having = {
        body["metadata"]["labels"]["component"]
        for body in objects
        if body["kind"] in {"Deployment", "StatefulSet"} and wanted["name"] in environment(body)
    }

    assert having == {"api-server"}
    assert environment(of_component(objects, "api-server"))[wanted["name"]] == wanted["value"]


def test_all_of_airflow_runs_the_image_that_has_the_package(objects: list[Body]) -> None:
    image = VALUES["images"]["airflow"]
    for component in ("scheduler", "api-server", "dag-processor", "triggerer"):
        container = pod(of_component(objects, component))["containers"][0]
        assert container["image"] == f"{image['repository']}:{image['tag']}"


def test_the_service_is_the_one_that_the_load_balancer_leads_to(objects: list[Body]) -> None:
    ingress = yaml.safe_load((ROOT / "aws" / "execution-api.yaml").read_text("utf-8"))
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    [ports] = [
        body["spec"]["ports"]
        for body in objects
        if body["kind"] == "Service" and body["metadata"]["labels"]["component"] == "api-server"
    ]

    assert backend["port"]["name"] in {port["name"] for port in ports}


def test_the_api_server_would_take_every_label(objects: list[Body]) -> None:
    bad = [
        (body["kind"], name, value)
        for body in objects
        for name, value in body["metadata"].get("labels", {}).items()
        if not LABEL.fullmatch(value)
    ]

    assert bad == []
