"""The example job definitions: RegisterJobDefinition's own model takes them."""

import json
from pathlib import Path
from string import Template
from typing import Any, cast

import botocore.session
import pytest
import yaml
from botocore.model import Shape
from botocore.validate import ParamValidator

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "aws" / "job-definitions").glob("*.json"))
DOCUMENTATION = (ROOT / "docs" / "install-airflow.md").read_text("utf-8")
INGRESS = yaml.safe_load((ROOT / "aws" / "execution-api.yaml").read_text("utf-8"))
NEEDED = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__LOGGING__REMOTE_LOGGING",
    "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER",
    "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID",
}
SECRETS = ("SQL_ALCHEMY_CONN", "FERNET_KEY", "JWT", "SECRET_KEY", "AWS_SECRET", "PASSWORD")


def registration() -> Shape:
    model = botocore.session.get_session().get_service_model("batch")
    return cast("Shape", model.operation_model("RegisterJobDefinition").input_shape)


def variables(definition: dict[str, Any]) -> dict[str, str]:
    if "eksProperties" in definition:
        [container] = definition["eksProperties"]["podProperties"]["containers"]
        listed = container["env"]
    else:
        listed = definition["containerProperties"]["environment"]
    return {each["name"]: each["value"] for each in listed}


def test_there_is_one_for_each_kind_of_compute_environment() -> None:
    assert [file.stem for file in FILES] == ["ec2", "eks", "fargate"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_batch_takes_it(file: Path) -> None:
    report = ParamValidator().validate(json.loads(file.read_text("utf-8")), registration())

    assert report.generate_report() == ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_container_has_what_a_task_needs_and_no_secret(file: Path) -> None:
    names = variables(json.loads(file.read_text("utf-8"))).keys()

    assert names == NEEDED
    assert [name for name in names for secret in SECRETS if secret in name] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_placeholders_are_explained(file: Path) -> None:
    placeholders = Template(file.read_text("utf-8")).get_identifiers()

    assert [name for name in placeholders if f"export {name}=" not in DOCUMENTATION] == []


def test_the_address_in_the_documentation_is_the_load_balancers() -> None:
    [rule] = INGRESS["spec"]["rules"]
    [path] = rule["http"]["paths"]

    assert f"export execution_api_url=https://{rule['host']}{path['path']}/\n" in DOCUMENTATION
    health = INGRESS["metadata"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"]
    assert health == f"{path['path']}/health"
