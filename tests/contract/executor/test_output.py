"""What every reader of jobs' output does, and what CloudWatch's own does beside it."""

from collections.abc import Iterator
from typing import Protocol

import pytest

from batchtask_executor.view.cloudwatch import CloudWatch
from batchtask_executor.view.links import LogStream
from batchtask_executor.view.output import Output, OutputUnavailable
from batchtask_local.batch import (
    ErrorFault,
    Faults,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    StateTimes,
    running,
)
from contract.local_batch.support import Jobs, batch_client, logging_to, make_definition
from fakes.http_server import Reply, ScriptedServer
from fakes.output import FakeOutput

REGION = "us-east-1"
GROUP = "/aws/batch/job"
OWN_GROUP, OWN = "/own/jobs", "logs-elsewhere"
"""A log group, and the job definition that names it."""


def at(stream: str, group: str = GROUP) -> LogStream:
    return LogStream(group, stream, REGION)


class Account(Protocol):
    """Jobs that write, and the port that reads what they wrote."""

    @property
    def output(self) -> Output: ...

    def wrote(self, *messages: str, group: str = GROUP) -> LogStream:
        """Have a job whose definition logs to that group write these lines."""


class FakeAccount:
    """The stand-in."""

    def __init__(self) -> None:
        self.output = FakeOutput()

    def wrote(self, *messages: str, group: str = GROUP) -> LogStream:
        stream = at("worker/default/1", group)
        self.output.write(stream, messages)
        return stream


class LocalAccount:
    """Local Batch."""

    def __init__(self, jobs: Jobs) -> None:
        self.output = CloudWatch()
        self._jobs = jobs

    def wrote(self, *messages: str, group: str = GROUP) -> LogStream:
        definition = {} if group == GROUP else {"jobDefinition": OWN}
        job = self._jobs.run("printf", r"%s\n", *messages, **definition)
        return at(job["container"]["logStreamName"], group)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    config = LocalBatchConfig(
        directory=tmp_path_factory.mktemp("batch"),
        queues=[Queue("main", vcpus=16)],
        times=StateTimes(submitted=0.01, pending=0.01, starting=0.01),
    )
    with running(config) as handle:
        client = batch_client(handle.url)
        make_definition(client, "busybox")
        make_definition(client, OWN, **logging_to(OWN_GROUP))
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

    found = account.output.read(stream)

    assert [event.message for event in found.events] == ["first", "second", "third"]
    times = [event.at for event in found.events]
    assert times == sorted(times)
    assert {time.tzname() for time in times} == {"UTC"}
    assert found.is_whole


def test_a_stream_is_read_in_its_own_group(account: Account) -> None:
    stream = account.wrote("here", group=OWN_GROUP)

    assert [event.message for event in account.output.read(stream).events] == ["here"]
    assert not account.output.read(at(stream.name)).events


def test_a_stream_is_asked_for_in_its_own_region(
    batch: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"events": [], "nextForwardToken": "f/1", "nextBackwardToken": "b/1"}
    with ScriptedServer(Reply(200, page), Reply(200, page)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", server.url)

        CloudWatch().read(LogStream(GROUP, "worker/default/1", "eu-west-1"))

    assert all("/eu-west-1/logs/" in each.headers["Authorization"] for each in server.requests)
    assert len(server.requests) == 2


def test_a_stream_that_is_not_there_yet_has_no_lines(account: Account) -> None:
    found = account.output.read(at("worker/default/none"))

    assert list(found.events) == []
    assert found.is_whole


def test_all_pages_are_read(jobs: Jobs) -> None:
    job = jobs.run("python", "-c", "for n in range(3000): print(f'{n:01000d}')")

    found = CloudWatch().read(at(job["container"]["logStreamName"]))

    assert [int(event.message) for event in found.events] == list(range(3000))
    assert found.is_whole


def test_of_more_than_ten_pages_the_first_ten_are_read(jobs: Jobs, batch: LocalBatchHandle) -> None:
    job = jobs.run("python", "-c", "for n in range(9000): print(f'{n:02000d}')")
    before = len(batch.journal("GetLogEvents"))

    found = CloudWatch().read(at(job["container"]["logStreamName"]))

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
        CloudWatch().read(at("worker/default/1"))


def test_missing_credentials_are_named(
    batch: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(OutputUnavailable, match="credentials"):
        CloudWatch().read(at("worker/default/1"))


def test_an_endpoint_that_is_not_there_is_named(
    batch: LocalBatchHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:9")

    with pytest.raises(OutputUnavailable, match=r"127\.0\.0\.1:9"):
        CloudWatch().read(at("worker/default/1"))
