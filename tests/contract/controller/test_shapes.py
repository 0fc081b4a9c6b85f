"""Every request that the controller makes fits AWS Batch's own model."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator

from batchtask_api import BatchTask
from batchtask_controller.request import job_request
from batchtask_local.batch import LocalBatchHandle
from builders import WORKLOAD, a_uid
from contract.controller.accounts import a_local_account, a_request

EXAMPLES = Path(__file__).parents[3] / "manifests" / "examples"
MODEL = get_session().get_service_model("batch")


def complaints(operation: str, parameters: dict[str, Any]) -> str:
    """What the model has against an operation's parameters."""
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    return str(ParamValidator().validate(parameters, shape).generate_report())


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("**/*.yaml")), ids=lambda file: file.name)
def test_each_example_makes_a_request_that_fits(file: Path) -> None:
    for document in yaml.safe_load_all(file.read_text("utf-8")):
        if document["kind"] != "BatchTask":
            continue
        body = {**document, "metadata": {**document["metadata"], "uid": a_uid()}}
        body["metadata"].setdefault("namespace", "airflow-tasks")
        task = BatchTask.from_json(body)
        workload = WORKLOAD if task.spec.workload else None

        request = job_request(task, 1, workload=workload, cluster_uid=a_uid(2))

        assert complaints("SubmitJob", dict(request.parameters)) == ""


async def test_every_call_of_the_adapter_fits(
    server: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, dict[str, Any]] = {}

    def keep(params: dict[str, Any], model: Any, **_: object) -> None:
        made[model.name] = dict(params)

    with a_local_account(server, monkeypatch) as account:
        client = account.batch._connect()
        client.meta.events.register("provide-client-params.batch", keep)
        sent = await account.batch.submit(a_request("shapes-1"), lambda: True)
        await account.batch.describe([sent.id])
        await account.batch.find("shapes-", "default")
        await account.batch.terminate(sent.id, "seen enough")

    assert sorted(made) == ["DescribeJobs", "ListJobs", "SubmitJob", "TerminateJob"]
    assert [complaints(name, parameters) for name, parameters in made.items()] == [""] * 4
