"""The adapter with another account's role, over local Batch's STS."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchtask_api import Reason
from batchtask_controller.aws import AwsBatch
from batchtask_controller.batch import Denied, JobStatus
from batchtask_local.batch import (
    SIMULATED_IMAGE,
    ErrorFault,
    Faults,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    running,
)
from contract.controller.accounts import a_request

ACCOUNT = "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/batchtask"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    """Local Batch as another account has it."""
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    definition = {
        "jobDefinitionName": "worker",
        "type": "container",
        "containerProperties": {"image": SIMULATED_IMAGE, "resourceRequirements": needs},
    }
    config = LocalBatchConfig(
        directory=tmp_path_factory.mktemp("there"),
        queues=[Queue("default", 8)],
        job_definitions=[definition],
        region="eu-west-1",
        account=ACCOUNT,
        time_scale=0.01,
    )
    with running(config) as server:
        yield server


@pytest.fixture
def batch_as(
    there: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], AwsBatch]]:
    """The adapter with a role."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made: list[AwsBatch] = []

    def make(role: str) -> AwsBatch:
        made.append(AwsBatch("eu-west-1", there.url, 10, role_arn=role))
        return made[-1]

    yield make
    for batch in made:
        batch.close()
    there.set_faults(Faults())


async def test_calls_are_signed_as_the_role_that_was_taken_on_once(
    there: LocalBatchHandle, batch_as: Callable[[str], AwsBatch]
) -> None:
    batch = batch_as(ROLE)
    before = len(there.journal())

    assert await batch.locate() == (ACCOUNT, "eu-west-1")
    assert len(there.journal()) == before
    jobs = [
        await batch.submit(a_request(f"role-{number}", "sleep", "1"), lambda: True)
        for number in (1, 2)
    ]
    described = await asyncio.gather(*(batch.describe([job.id]) for job in jobs))

    assert all(job.status in JobStatus for (job,) in described)
    asked = there.journal()[before:]
    assumed, *rest = asked
    assert [each.operation for each in asked].count("AssumeRole") == 1
    assert (assumed.operation, assumed.caller) == ("AssumeRole", "AKIATEST")
    assert [(each.action, *each.resources) for each in assumed.iam] == [("sts:AssumeRole", ROLE)]
    assert {each.caller[:4] for each in rest} == {"ASIA"}
    assert len({each.caller for each in rest}) == 1


async def test_a_role_that_may_not_be_taken_on_sends_nothing(
    there: LocalBatchHandle, batch_as: Callable[[str], AwsBatch]
) -> None:
    batch = batch_as("arn:aws:iam::333333333333:role/batchtask")

    with pytest.raises(Denied, match="AssumeRole failed: AccessDenied") as denied:
        await batch.submit(a_request("refused-1"), lambda: True)

    assert denied.value.reason is Reason.CREDENTIALS_REFUSED
    assert not there.journal("SubmitJob", "refused-1")


async def test_a_role_whose_session_ended_is_taken_on_anew(
    there: LocalBatchHandle, batch_as: Callable[[str], AwsBatch]
) -> None:
    batch = batch_as(ROLE)
    expired = ErrorFault(
        operation="DescribeJobs", code="ExpiredTokenException", status=403, times=1
    )
    there.set_faults(Faults(errors=(expired,)))

    with pytest.raises(Denied):
        await batch.describe(["1"])
    before = len(there.journal("AssumeRole"))
    await batch.describe(["1"])

    assert len(there.journal("AssumeRole")) == before + 1


async def test_without_credentials_of_its_own_it_takes_on_none(
    batch_as: Callable[[str], AwsBatch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(Denied, match="Unable to locate credentials"):
        await batch_as(ROLE).describe(["1"])
