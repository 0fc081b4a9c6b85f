"""The examples fit the schema, and botocore's model, and run where they say."""

from pathlib import Path
from typing import Any, cast

import botocore.session
import pytest
import yaml
from botocore.model import Shape
from botocore.validate import ParamValidator

from batchtask_api import BatchTask, names

EXAMPLES = Path(__file__).parents[3] / "manifests" / "examples"
LOCAL = sorted(EXAMPLES.glob("*.yaml"))
AWS = sorted(EXAMPLES.glob("aws/*.yaml"))


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def submit_job_request() -> Shape:
    model = botocore.session.get_session().get_service_model("batch").operation_model("SubmitJob")
    return cast("Shape", model.input_shape)


@pytest.mark.parametrize("file", [*LOCAL, *AWS], ids=lambda file: file.stem)
def test_an_example_fits(file: Path, refusals: Any) -> None:
    document = read(file)
    request = document["spec"]["job"] | {"jobName": "n"}

    report = ParamValidator().validate(request, submit_job_request())

    assert refusals(document) == []
    assert report.generate_report() == ""
    task = BatchTask.from_json(document)
    assert (task.metadata.name, task.metadata.namespace) == (file.stem, names.DEFAULT_NAMESPACE)


@pytest.mark.parametrize("file", LOCAL, ids=lambda file: file.stem)
def test_a_local_example_needs_no_airflow_and_no_aws(file: Path) -> None:
    spec = read(file)["spec"]

    assert (spec["job"]["jobQueue"], spec["job"]["jobDefinition"]) == ("default", "local-shell")
    assert spec["job"]["containerOverrides"]["command"][:2] == ["sh", "-c"]
    assert not {"workload", "airflow"} & spec.keys()


def test_these_are_all_the_examples() -> None:
    assert {file.stem for file in LOCAL} == {"hello", "resources", "retry"}
    assert {file.stem for file in AWS} == {"ecs", "eks", "gpu", "probe"}
