"""Overrides that the job definition has no place for: local Batch refuses, the port says why."""

from typing import Any

import pytest

from batchtask_api import Reason
from batchtask_controller.batch import Rejected
from batchtask_local.batch import LocalBatchHandle
from contract.controller.accounts import LocalAccount, a_local_account, a_request

NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
CONTAINER = {"image": "a", "resourceRequirements": NEEDS}
POD = {"image": "a", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}
DEFINITIONS: dict[str, dict[str, Any]] = {
    "container": {"containerProperties": CONTAINER},
    "ecs": {"ecsProperties": {"taskProperties": [{"containers": [CONTAINER | {"name": "a"}]}]}},
    "eks": {"eksProperties": {"podProperties": {"containers": [POD]}}},
}
OVERRIDES: dict[str, dict[str, Any]] = {
    "container": {"containerOverrides": {"command": ["true"]}},
    "ecs": {
        "ecsPropertiesOverride": {"taskProperties": [{"containers": [{"command": ["true"]}]}]},
    },
    "eks": {"eksPropertiesOverride": {"podProperties": {"containers": [{"args": ["true"]}]}}},
}


def define(account: LocalAccount, shape: str) -> str:
    name = f"shape-{shape}"
    client = account.batch._connect()
    client.register_job_definition(jobDefinitionName=name, type="container", **DEFINITIONS[shape])
    return name


@pytest.mark.parametrize("given", OVERRIDES)
@pytest.mark.parametrize("defined", DEFINITIONS)
async def test_overrides_of_another_shape_are_rejected_with_the_way_out(
    defined: str, given: str, server: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_local_account(server, monkeypatch) as account:
        request = a_request(f"{defined}-{given}")
        parameters = {**request.parameters, "jobDefinition": define(account, defined)}
        parameters.pop("containerOverrides")
        request = type(request)(request.name, parameters | OVERRIDES[given])

        if defined == given:
            assert (await account.batch.submit(request, lambda: True)).id
            return
        with pytest.raises(Rejected) as caught:
            await account.batch.submit(request, lambda: True)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert "the job definition is of another shape than spec.job's overrides" in str(caught.value)
    assert "with eksProperties eksPropertiesOverride" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("ecs", "Container overrides should not be set for ecsProperties jobs."),
        ("eks", "Container overrides or node overrides should not be set for Batch on EKS jobs."),
    ],
)
async def test_awss_own_words_are_kept(
    shape: str, words: str, server: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_local_account(server, monkeypatch) as account:
        request = a_request("words")
        request = type(request)(
            request.name, {**request.parameters, "jobDefinition": define(account, shape)}
        )
        with pytest.raises(Rejected) as caught:
            await account.batch.submit(request, lambda: True)

    assert words in str(caught.value)
