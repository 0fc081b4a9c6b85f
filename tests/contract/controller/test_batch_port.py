"""What the port `Batch` promises, of the fake and of AwsBatch on local Batch alike."""

import asyncio
import uuid
from datetime import timedelta

import pytest

from batchtask_controller.batch import (
    Denied,
    JobStatus,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
)
from contract.controller.accounts import LAG, ON_THE_WAY, Account, a_request

FOREVER = ("sleep", "100000")


@pytest.fixture
def prefix() -> str:
    """What the names of this test's own jobs start with."""
    return f"sales-load-{uuid.uuid4()}-"


def yes() -> bool:
    """Nothing is against sending."""
    return True


async def test_a_job_that_was_taken_can_be_described(account: Account, prefix: str) -> None:
    found = await account.batch.submit(a_request(f"{prefix}1", *FOREVER), yes)

    (job,) = await account.batch.describe([found.id])
    assert (job.id, job.name, job.arn) == (found.id, f"{prefix}1", found.arn)
    assert found.name == f"{prefix}1"
    assert job.status in ON_THE_WAY
    assert job.created_at is not None
    assert job.created_at.utcoffset() == timedelta(0)
    assert (job.exit_code, job.stopped_at, job.attempts) == (None, None, ())
    assert not job.is_cancelled


async def test_ids_that_are_not_known_are_absent(account: Account, prefix: str) -> None:
    found = await account.batch.submit(a_request(f"{prefix}1"), yes)
    unknown = str(uuid.uuid4())

    jobs = await account.batch.describe([unknown, found.id])

    assert [job.id for job in jobs] == [found.id]
    assert list(await account.batch.describe([unknown])) == []


async def test_more_than_a_hundred_ids_are_refused(account: Account) -> None:
    with pytest.raises(Rejected):
        await account.batch.describe([str(uuid.uuid4()) for _ in range(101)])


async def test_jobs_are_found_by_how_their_names_start_whatever_the_case(
    account: Account, prefix: str
) -> None:
    first = await account.batch.submit(a_request(f"{prefix}1"), yes)
    await asyncio.sleep(0.005)
    second = await account.batch.submit(a_request(f"{prefix.upper()}2"), yes)
    await account.batch.submit(a_request(f"other-{prefix}1"), yes)

    found = (await account.batch.find(prefix, "default")).jobs

    assert [each.id for each in found] == [first.id, second.id]
    assert [each.name for each in found] == [f"{prefix}1", f"{prefix.upper()}2"]
    assert all(each.created_at is not None for each in found)


async def test_jobs_are_found_in_every_status(account: Account, prefix: str) -> None:
    done = await account.batch.submit(a_request(f"{prefix}1"), yes)
    failed = await account.batch.submit(a_request(f"{prefix}2", "exit", "3"), yes)
    runs = await account.batch.submit(a_request(f"{prefix}3", *FOREVER), yes)
    await account.reaches(done.id, JobStatus.SUCCEEDED)
    await account.reaches(failed.id, JobStatus.FAILED, 3)
    await account.reaches(runs.id, JobStatus.RUNNING)

    found = (await account.batch.find(prefix, "default")).jobs

    assert {each.id for each in found} == {done.id, failed.id, runs.id}


async def test_more_jobs_than_a_page_holds_are_found(account: Account, prefix: str) -> None:
    requests = [a_request(f"{prefix}{number}") for number in range(105)]
    sent = await asyncio.gather(*(account.batch.submit(each, yes) for each in requests))

    found = (await account.batch.find(prefix, "default")).jobs

    assert {each.id for each in found} == {each.id for each in sent}


async def test_jobs_are_found_in_their_own_queue_only(account: Account, prefix: str) -> None:
    sent = await account.batch.submit(a_request(f"{prefix}1", queue="other"), yes)

    assert list((await account.batch.find(prefix, "default")).jobs) == []
    assert [each.id for each in (await account.batch.find(prefix, "other")).jobs] == [sent.id]


async def test_a_queue_that_is_not_there_is_named(account: Account, prefix: str) -> None:
    with pytest.raises(NotFound, match="analitycs"):
        await account.batch.submit(a_request(f"{prefix}1", queue="analitycs"), yes)
    with pytest.raises(NotFound, match="analitycs"):
        await account.batch.find(prefix, "analitycs")


async def test_a_wrong_request_is_rejected(account: Account) -> None:
    with pytest.raises(Rejected):
        await account.batch.submit(a_request("no name of a job!"), yes)


async def test_what_is_called_off_makes_no_job(account: Account, prefix: str) -> None:
    with pytest.raises(Unavailable):
        await account.batch.submit(a_request(f"{prefix}1"), lambda: False)

    assert list((await account.batch.find(prefix, "default")).jobs) == []


async def test_a_success_tells_its_times_and_its_log(account: Account, prefix: str) -> None:
    sent = await account.batch.submit(a_request(f"{prefix}1"), yes)

    job = await account.reaches(sent.id, JobStatus.SUCCEEDED)

    assert job.exit_code == 0
    assert job.log_stream_name
    assert job.created_at is not None
    assert job.started_at is not None
    assert job.stopped_at is not None
    assert job.created_at <= job.started_at <= job.stopped_at
    assert [each.exit_code for each in job.attempts] == [0]
    assert job.attempts[0].log_stream_name == job.log_stream_name


async def test_a_failure_tells_its_exit_code(account: Account, prefix: str) -> None:
    sent = await account.batch.submit(a_request(f"{prefix}1", "exit", "3"), yes)

    job = await account.reaches(sent.id, JobStatus.FAILED, 3)

    assert job.exit_code == 3
    assert [each.exit_code for each in job.attempts] == [3]
    assert not job.is_cancelled


@pytest.mark.parametrize("status", [JobStatus.SUBMITTED, JobStatus.RUNNING])
async def test_a_job_is_ended_in_whatever_status_it_is(
    account: Account, prefix: str, status: JobStatus
) -> None:
    sent = await account.batch.submit(a_request(f"{prefix}1", *FOREVER), yes)
    if status is JobStatus.RUNNING:
        await account.reaches(sent.id, status)

    await account.batch.terminate(sent.id, "BatchTask a/b was deleted")

    job = await account.sees_the_end(sent.id)
    assert job.status is JobStatus.FAILED
    assert job.status_reason == "BatchTask a/b was deleted"
    assert job.is_cancelled


async def test_to_end_what_has_ended_does_nothing(account: Account, prefix: str) -> None:
    sent = await account.batch.submit(a_request(f"{prefix}1"), yes)
    before = await account.reaches(sent.id, JobStatus.SUCCEEDED)

    await account.batch.terminate(sent.id, "too late")

    (job,) = await account.batch.describe([sent.id])
    assert (job.status, job.status_reason) == (JobStatus.SUCCEEDED, before.status_reason)


async def test_to_end_what_is_not_there_does_nothing(account: Account) -> None:
    await account.batch.terminate(str(uuid.uuid4()), "who is it?")


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_lost_reply_tells_nothing_and_the_name_tells_all(
    account: Account, prefix: str, takes_effect: bool
) -> None:
    account.lose_next(takes_effect=takes_effect)

    with pytest.raises(OutcomeUnknown):
        await account.batch.submit(a_request(f"{prefix}1"), yes)

    await asyncio.sleep(0.01)
    assert len((await account.batch.find(prefix, "default")).jobs) == takes_effect


async def test_a_call_too_many_has_no_effect_and_says_how_long_to_wait(
    account: Account, prefix: str
) -> None:
    account.throttle_next(7)

    requests = [a_request(f"{prefix}{number}") for number in range(2)]
    found = await asyncio.gather(
        *(account.batch.submit(each, yes) for each in requests), return_exceptions=True
    )

    (throttled,) = (each for each in found if isinstance(each, Throttled))
    assert throttled.retry_after_seconds == 7


async def test_a_missing_right_has_no_effect(account: Account, prefix: str) -> None:
    account.refuse_next("SubmitJob")
    with pytest.raises(Denied):
        await account.batch.submit(a_request(f"{prefix}1"), yes)
    account.refuse_next("ListJobs")
    with pytest.raises(Denied):
        await account.batch.find(prefix, "default")

    assert list((await account.batch.find(prefix, "default")).jobs) == []


async def test_a_look_up_that_fails_inside_aws_can_be_made_again(
    account: Account, prefix: str
) -> None:
    account.break_next("ListJobs")
    with pytest.raises(Unavailable):
        await account.batch.find(prefix, "default")
    account.break_next("DescribeJobs")
    with pytest.raises(Unavailable):
        await account.batch.describe([str(uuid.uuid4())])
    account.break_next("TerminateJob")
    with pytest.raises(Unavailable):
        await account.batch.terminate(str(uuid.uuid4()), "why not")

    assert list((await account.batch.find(prefix, "default")).jobs) == []


async def test_a_new_job_may_show_late(account: Account, prefix: str) -> None:
    await account.show_late()
    sent = await account.batch.submit(a_request(f"{prefix}1", *FOREVER), yes)

    unseen = [
        *await account.batch.describe([sent.id]),
        *(await account.batch.find(prefix, "default")).jobs,
    ]
    await account.show_late(then_after=LAG + 1)

    assert unseen == []
    assert len(await account.batch.describe([sent.id])) == 1
    assert len((await account.batch.find(prefix, "default")).jobs) == 1


async def test_the_place_is_known(account: Account) -> None:
    assert await account.batch.locate() == ("123456789012", "us-east-1")
