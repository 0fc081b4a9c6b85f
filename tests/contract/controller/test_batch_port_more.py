"""The port's lists, fronts of queues, tags and logs, of the fake and of AwsBatch alike."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from batchtask_api import names
from batchtask_controller.batch import BatchError, JobRef, JobStatus, LogStream, NotFound
from batchtask_local.batch import (
    SIMULATED_IMAGE,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    running,
)
from contract.controller.accounts import SCALE, Account, FakeAccount, a_request

FOREVER = ("sleep", "100000")
NARROW = "other"
"""A queue with room for one job."""
OWN_GROUP = "/own/jobs"
OWN_LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": OWN_GROUP, "awslogs-region": "us-east-1"},
}
LOGS_ELSEWHERE = "logs-elsewhere"
"""The job definition that has them."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    properties = {"image": SIMULATED_IMAGE, "resourceRequirements": needs}
    definitions = {
        "worker": properties,
        LOGS_ELSEWHERE: {**properties, "logConfiguration": OWN_LOGS},
    }
    config = LocalBatchConfig(
        directory=tmp_path_factory.mktemp("batch-more"),
        queues=[Queue("default", 500), Queue(NARROW, 1)],
        job_definitions=[
            {"jobDefinitionName": name, "type": "container", "containerProperties": properties}
            for name, properties in definitions.items()
        ],
        time_scale=SCALE,
    )
    with running(config) as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """What the names of this test's own jobs start with."""
    return f"sales-load-{uuid.uuid4()}-"


async def submitted(account: Account, name: str, *words: str, queue: str = "default") -> JobRef:
    """A job of those words, with our own tags and one of the user's."""
    tags = {"team": "sales", names.TAG_TASK: "uid-1", names.TAG_CLUSTER: "cluster-1"}
    request = a_request(name, *words, queue=queue, tags=tags)
    return await account.batch.submit(request, lambda: True)


# -- lists ----------------------------------------------------------------------------------------


async def test_jobs_are_listed_by_their_state(account: Account, prefix: str) -> None:
    runs = await submitted(account, f"{prefix}1", *FOREVER)
    ended = await submitted(account, f"{prefix}2")
    await account.reaches(runs.id, JobStatus.RUNNING)
    await account.reaches(ended.id, JobStatus.SUCCEEDED)

    running_page = await account.batch.list_jobs("default", JobStatus.RUNNING)
    ended_page = await account.batch.list_jobs("default", JobStatus.SUCCEEDED)

    (found,) = [job for job in running_page.jobs if job.id == runs.id]
    assert (found.name, found.arn) == (f"{prefix}1", runs.arn)
    assert found.created_at is not None
    assert ended.id in {job.id for job in ended_page.jobs}
    assert ended.id not in {job.id for job in running_page.jobs}
    assert running_page.next_token is None
    await account.batch.terminate(runs.id, "the test is over")


async def test_another_queues_jobs_are_not_listed(account: Account, prefix: str) -> None:
    runs = await submitted(account, f"{prefix}1", *FOREVER)
    await account.reaches(runs.id, JobStatus.RUNNING)

    page = await account.batch.list_jobs(NARROW, JobStatus.RUNNING)

    assert runs.id not in {job.id for job in page.jobs}
    await account.batch.terminate(runs.id, "the test is over")


async def test_to_list_a_queue_that_is_gone_is_not_to_find_it_empty(account: Account) -> None:
    with pytest.raises(NotFound):
        await account.batch.list_jobs("gone", JobStatus.RUNNING)


# -- the front of a queue -------------------------------------------------------------------------


async def test_the_front_of_a_queue_has_its_runnable_jobs_next_first(
    account: Account, prefix: str
) -> None:
    holds = await submitted(account, f"{prefix}0", *FOREVER, queue=NARROW)
    await account.reaches(holds.id, JobStatus.RUNNING)
    waiting = []
    for number in (1, 2, 3):
        waiting.append(await submitted(account, f"{prefix}{number}", *FOREVER, queue=NARROW))
        await asyncio.sleep(0.005)
    for each in waiting:
        await account.reaches(each.id, JobStatus.RUNNABLE)

    front = await account.batch.snapshot(NARROW)

    assert list(front) == [each.id for each in waiting]
    for each in [*reversed(waiting), holds]:
        await account.batch.terminate(each.id, "the test is over")


async def test_a_queue_in_which_nobody_waits_has_no_front(account: Account) -> None:
    assert list(await account.batch.snapshot("default")) == []


async def test_the_front_of_a_queue_that_is_gone_is_an_error_of_the_port(account: Account) -> None:
    with pytest.raises(BatchError):
        await account.batch.snapshot("gone")


# -- tags -----------------------------------------------------------------------------------------


async def test_our_own_tags_are_described(account: Account, prefix: str) -> None:
    found = await submitted(account, f"{prefix}1")

    (job,) = await account.batch.describe([found.id])

    assert dict(job.tags) == {names.TAG_TASK: "uid-1", names.TAG_CLUSTER: "cluster-1"}


@pytest.mark.parametrize("words", [FOREVER, ()])
async def test_a_tag_is_added_to_those_that_are_there(
    account: Account, prefix: str, words: tuple[str, ...]
) -> None:
    found = await submitted(account, f"{prefix}1", *words)
    assert found.arn is not None

    await account.batch.tag(found.arn, {names.TAG_RETAINED: "true"})
    await account.batch.tag(found.arn, {names.TAG_RETAINED: "true"})

    (job,) = await account.batch.describe([found.id])
    assert dict(job.tags) == {
        names.TAG_TASK: "uid-1",
        names.TAG_CLUSTER: "cluster-1",
        names.TAG_RETAINED: "true",
    }
    await account.batch.terminate(found.id, "the test is over")


# -- logs -----------------------------------------------------------------------------------------


async def test_the_last_lines_of_a_log_come_oldest_first(account: Account, prefix: str) -> None:
    words = [word for number in range(120) for word in ("print", f"line-{number}")]
    found = await submitted(account, f"{prefix}1", *words, "exit", "3")
    job = await account.reaches(found.id, JobStatus.FAILED, exit_code=3)
    assert job.log_stream_name is not None
    stream = LogStream(job.log_stream_name)
    if isinstance(account, FakeAccount):
        account.batch.lines[stream] = [f"line-{number}" for number in range(120)]

    lines = await account.batch.log_tail(stream)

    assert list(lines) == [f"line-{number}" for number in range(20, 120)]


async def test_a_stream_that_is_not_there_is_an_error_of_the_port(account: Account) -> None:
    with pytest.raises(BatchError, match="does not exist"):
        await account.batch.log_tail(LogStream("worker/default/none"))


async def test_where_a_definition_logs_to_is_told_and_read(account: Account, prefix: str) -> None:
    if isinstance(account, FakeAccount):
        account.batch.log_group_name, account.batch.log_region = OWN_GROUP, "us-east-1"
    request = a_request(f"{prefix}1", "print", "here", "exit", "3", jobDefinition=LOGS_ELSEWHERE)
    found = await account.batch.submit(request, lambda: True)

    job = await account.reaches(found.id, JobStatus.FAILED, exit_code=3)

    assert (job.log_group_name, job.log_region) == (OWN_GROUP, "us-east-1")
    assert job.log_stream_name is not None
    stream = LogStream(job.log_stream_name, job.log_group_name, job.log_region)
    if isinstance(account, FakeAccount):
        account.batch.lines[stream] = ["here"]
    assert list(await account.batch.log_tail(stream)) == ["here"]
    with pytest.raises(BatchError, match="does not exist"):
        await account.batch.log_tail(LogStream(job.log_stream_name))
