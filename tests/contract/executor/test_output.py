"""What every reader of jobs' output does, and what CloudWatch's own does beside it."""

from collections.abc import Iterator
from typing import Protocol

import pytest

from batchtask_executor.view.cloudwatch import CloudWatch
from batchtask_executor.view.logs import Output, OutputUnavailable
from batchtask_local.batch import (
    ErrorFault,
    Faults,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    StateTimes,
    running,
)
from contract.local_batch.support import Jobs, batch_client, make_definition
from fakes.output import FakeOutput

REGION = "us-east-1"
GROUP = "/aws/batch/job"


class Account(Protocol):
    """Jobs that write, and the port that reads what they wrote."""

    @property
    def output(self) -> Output: ...

    def wrote(self, *messages: str) -> str:
        """Have a job write these lines, and name its stream."""


class FakeAccount:
    """The stand-in."""

    def __init__(self) -> None:
        self.output = FakeOutput()

    def wrote(self, *messages: str) -> str:
        self.output.write(REGION, "worker/default/1", messages)
        return "worker/default/1"


class LocalAccount:
    """Local Batch."""

    def __init__(self, jobs: Jobs) -> None:
        self.output = CloudWatch(GROUP)
        self._jobs = jobs

    def wrote(self, *messages: str) -> str:
        job = self._jobs.run("printf", r"%s\n", *messages)
        stream: str = job["container"]["logStreamName"]
        return stream


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    config = LocalBatchConfig(
        directory=tmp_path_factory.mktemp("batch"),
        queues=[Queue("main", vcpus=16)],
        times=StateTimes(submitted=0.01, pending=0.01, starting=0.01),
    )
    with running(config) as handle:
        make_definition(batch_client(handle.url), "busybox")
        yield handle


@pytest.fixture
def batch(server: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBatchHandle]:
    """Local Batch where boto3 looks for CloudWatch, as the api-server's environment says it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    yield server
    server.set_faults(Faults())


@pytest.fixture
def jobs(batch: LocalBatchHandle) -> Jobs:
    return Jobs(batch_client(batch.url), "main", "busybox")


@pytest.fixture(params=["fake", "local"])
def account(request: pytest.FixtureRequest) -> Account:
    if request.param == "fake":
        return FakeAccount()
    return LocalAccount(request.getfixturevalue("jobs"))


def test_lines_come_in_order_with_their_times(account: Account) -> None:
    stream = account.wrote("first", "second", "third")

    found = account.output.read(REGION, stream)

    assert [event.message for event in found.events] == ["first", "second", "third"]
    times = [event.at for event in found.events]
    assert times == sorted(times)
    assert {time.tzname() for time in times} == {"UTC"}
    assert found.is_whole


def test_a_stream_that_is_not_there_yet_has_no_lines(account: Account) -> None:
    found = account.output.read(REGION, "worker/default/none")

    assert list(found.events) == []
    assert found.is_whole


def test_all_pages_are_read(jobs: Jobs) -> None:
    job = jobs.run("python", "-c", "for n in range(3000): print(f'{n:01000d}')")

    found = CloudWatch(GROUP).read(REGION, job["container"]["logStreamName"])

    assert [int(event.message) for event in found.events] == list(range(3000))
    assert found.is_whole


def test_of_more_than_ten_pages_the_first_ten_are_read(jobs: Jobs, batch: LocalBatchHandle) -> None:
    job = jobs.run("python", "-c", "for n in range(9000): print(f'{n:02000d}')")
    before = len(batch.journal("GetLogEvents"))

    found = CloudWatch(GROUP).read(REGION, job["container"]["logStreamName"])

    assert not found.is_whole
    assert len(batch.journal("GetLogEvents")) - before == 10
    assert [int(event.message) for event in found.events] == list(range(len(found.events)))


def test_a_missing_right_is_named(jobs: Jobs, batch: LocalBatchHandle) -> None:
    batch.set_faults(
        Faults(
            errors=[ErrorFault(operation="GetLogEvents", code="AccessDeniedException", status=400)]
        )
    )

    with pytest.raises(OutputUnavailable, match="logs:GetLogEvents"):
        CloudWatch(GROUP).read(REGION, "worker/default/1")


def test_missing_credentials_are_named(
    batch: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(OutputUnavailable, match="credentials"):
        CloudWatch(GROUP).read(REGION, "worker/default/1")


def test_an_endpoint_that_is_not_there_is_named(
    batch: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:9")

    with pytest.raises(OutputUnavailable, match=r"127\.0\.0\.1:9"):
        CloudWatch(GROUP).read(REGION, "worker/default/1")
