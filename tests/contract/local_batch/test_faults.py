"""What can be made to go wrong, as a client of AWS's feels it."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)
from types_boto3_batch import BatchClient

from batchtask_local.batch import ErrorFault, Faults, LocalBatchHandle, ReplyFault, Status
from contract.local_batch.support import ACCESS_KEY, Jobs, batch_client, error, names, until


def http(method: str, url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


def submitted(batch: LocalBatchHandle, job_name: str) -> int:
    """Return how many jobs of that name there really are."""
    return sum(job.spec.name == job_name for job in batch.jobs())


def found(client: BatchClient, job_name: str) -> list[str]:
    by_name: Any = [{"name": "JOB_NAME", "values": [job_name]}]
    return names(client.list_jobs(jobQueue="main", filters=by_name)["jobSummaryList"])


# Throttling and refusals


def test_calls_over_the_limit_get_too_many_requests(
    batch: LocalBatchHandle, client: BatchClient
) -> None:
    batch.set_faults(Faults(throttle=0.001, retry_after=3))

    assert [outcome(client) for _ in range(3)] == [(200, None), (429, "3"), (429, "3")]


def outcome(client: BatchClient) -> tuple[int, str | None]:
    """Return the status of a call's reply, and when it says to come back."""
    metadata: Any
    try:
        metadata = client.describe_jobs(jobs=["x"])["ResponseMetadata"]
    except client.exceptions.ClientError as refusal:
        metadata = refusal.response["ResponseMetadata"]
    return metadata["HTTPStatusCode"], metadata["HTTPHeaders"].get("retry-after")


def test_a_neighbor_leaves_less(batch: LocalBatchHandle, client: BatchClient) -> None:
    batch.set_faults(Faults(throttle=50, neighbor=49.999))

    client.describe_jobs(jobs=["x"])

    assert error(client.describe_jobs, jobs=["x"])[0] == "TooManyRequestsException"


def test_expired_credentials_are_refused(batch: LocalBatchHandle, jobs: Jobs, name: str) -> None:
    batch.set_faults(Faults(expired=True))

    assert error(jobs.submit, jobName=name) == (
        "ExpiredTokenException",
        "The security token included in the request is expired",
    )
    assert submitted(batch, name) == 0


def test_a_denied_queue_takes_nothing(batch: LocalBatchHandle, jobs: Jobs, name: str) -> None:
    batch.set_faults(Faults(denied_queues=frozenset({"main"})))

    code, message = error(jobs.submit, jobName=name)

    assert code == "AccessDeniedException"
    assert "is not authorized to perform: batch:SubmitJob on resource: arn:aws:batch:" in message
    assert submitted(batch, name) == 0
    jobs.client.describe_jobs(jobs=["x"])


def test_errors_befall_so_many_calls(batch: LocalBatchHandle, jobs: Jobs, name: str) -> None:
    fault = ErrorFault(operation="SubmitJob", code="ServerException", status=503, times=2)
    batch.set_faults(Faults(errors=(fault,)))

    codes = [error(jobs.submit, jobName=name)[0] for _ in range(2)]
    jobs.submit(jobName=name)

    assert codes == ["ServerException"] * 2
    assert submitted(batch, name) == 1


def test_latency_is_felt(batch: LocalBatchHandle, client: BatchClient) -> None:
    batch.set_faults(Faults(latency=0.2, jitter=0.1))
    start = time.monotonic()

    client.describe_jobs(jobs=["x"])

    assert time.monotonic() - start >= 0.2


# Accepted, and no answer


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (ReplyFault(outcome="drop"), ConnectionClosedError),
        (ReplyFault(outcome="delay", seconds=9), ReadTimeoutError),
        (ReplyFault(outcome="error"), ClientError),
    ],
)
def test_a_job_is_taken_and_its_caller_does_not_learn_of_it(
    batch: LocalBatchHandle,
    jobs: Jobs,
    name: str,
    fault: ReplyFault,
    raised: type[BotoCoreError] | type[ClientError],
) -> None:
    impatient = Jobs(batch_client(batch.url, read_timeout=1), "main", "busybox")
    batch.set_faults(Faults(replies=(fault,)))

    with pytest.raises(raised):
        impatient.submit(jobName=name)

    assert submitted(batch, name) == 1
    assert found(jobs.client, name) == [name]


def test_a_reply_that_is_no_json_is_one_without_a_job_id(
    batch: LocalBatchHandle, client: BatchClient, name: str
) -> None:
    batch.set_faults(Faults(replies=(ReplyFault(outcome="unreadable"),)))

    reply = client.submit_job(jobName=name, jobQueue="main", jobDefinition="busybox")

    # botocore takes it for a success: what it can't read becomes a message.
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "jobId" not in reply
    assert submitted(batch, name) == 1


def test_a_call_can_be_lost_before_it_has_an_effect(
    batch: LocalBatchHandle, jobs: Jobs, name: str
) -> None:
    lost = ReplyFault(outcome="drop", takes_effect=False, times=1)
    batch.set_faults(Faults(replies=(lost,)))

    with pytest.raises(ConnectionClosedError):
        jobs.submit(jobName=name)

    assert submitted(batch, name) == 0
    jobs.submit(jobName=name)


def test_only_jobs_of_a_name_are_befallen(batch: LocalBatchHandle, jobs: Jobs, name: str) -> None:
    fault = ReplyFault(outcome="drop", job_name=f"{name}-bad*")
    batch.set_faults(Faults(replies=(fault,)))

    jobs.submit(jobName=f"{name}-good")
    with pytest.raises(ConnectionClosedError):
        jobs.submit(jobName=f"{name}-bad-1")


# Late, and lost


def test_a_new_job_is_invisible_for_a_while(batch: LocalBatchHandle, jobs: Jobs, name: str) -> None:
    # 50 of Batch's seconds are 1 s.
    batch.set_faults(Faults(visibility_lag=50))
    job_id = jobs.submit("true", jobName=name)

    assert jobs.client.describe_jobs(jobs=[job_id])["jobs"] == []
    assert found(jobs.client, name) == []
    until(lambda: found(jobs.client, name) == [name], lambda: "the job never appeared")
    assert jobs.wait(job_id)["status"] == "SUCCEEDED"


def test_a_job_vanishes(batch: LocalBatchHandle, jobs: Jobs, name: str) -> None:
    job_id = jobs.submit("sleep", "60", jobName=name)
    jobs.wait(job_id, "RUNNING")

    assert http("POST", f"{batch.url}/_local/jobs/{job_id}/vanish") == (200, {})

    assert jobs.client.describe_jobs(jobs=[job_id])["jobs"] == []
    assert found(jobs.client, name) == []
    jobs.client.terminate_job(jobId=job_id, reason="enough")
    (job,) = [job for job in batch.jobs() if job.id == job_id]
    assert job.is_terminated


def test_what_is_not_there_can_not_vanish(batch: LocalBatchHandle) -> None:
    status, _ = http("POST", f"{batch.url}/_local/jobs/nothing/vanish")

    assert status == 404
    assert http("POST", f"{batch.url}/_local/jobs/nothing/reclaim")[0] == 404


# The admin's own API


def test_faults_are_switched_over_http(batch: LocalBatchHandle, client: BatchClient) -> None:
    url = f"{batch.url}/_local/faults"

    status, shown = http("PUT", url, {"expired": True})

    assert (status, shown["expired"]) == (200, True)
    assert http("GET", url) == (200, shown)
    assert error(client.describe_jobs, jobs=["x"])[0] == "ExpiredTokenException"
    assert batch.faults == Faults(expired=True)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"latency": "slow"}, "latency: "),
        ({"speed": 1}, "speed: "),
        ({"errors": [{"operation": "SubmitJobs"}]}, "SubmitJobs"),
        ([], "object"),
    ],
)
def test_faults_that_make_no_sense_are_refused(
    batch: LocalBatchHandle, body: Any, complaint: str
) -> None:
    status, reply = http("PUT", f"{batch.url}/_local/faults", body)

    assert status == 400
    assert complaint in reply["errors"][0]
    assert batch.faults == Faults()


def test_the_journal_tells_what_was_called_and_what_came_of_it(
    batch: LocalBatchHandle, jobs: Jobs, name: str
) -> None:
    job_id = jobs.submit("echo", "s3cr3t", jobName=name)
    batch.set_faults(Faults(replies=(ReplyFault(outcome="drop"),)))
    with pytest.raises(ConnectionClosedError):
        jobs.submit(jobName=name)
    batch.set_faults(Faults(throttle=0.001))
    jobs.client.describe_jobs(jobs=["x", "y"])
    error(jobs.submit, jobName=name)
    batch.set_faults(Faults())
    error(jobs.submit, jobName=name, jobQueue="nothing")

    entries = batch.journal(operation="SubmitJob", job_name=name)

    assert [(entry.outcome, entry.status, entry.took_effect) for entry in entries] == [
        ("ok", 200, True),
        ("dropped", 0, True),
        ("TooManyRequestsException", 429, False),
        ("ClientException", 400, False),
    ]
    assert entries[0].job_id == job_id
    assert {entry.caller for entry in entries} == {ACCESS_KEY}
    assert batch.journal(operation="DescribeJobs")[-1].job_count == 2
    _, over_http = http("GET", f"{batch.url}/_local/journal?operation=SubmitJob&jobName={name}")
    assert [entry["outcome"] for entry in over_http] == [entry.outcome for entry in entries]
    lines = (batch.directory / "journal.jsonl").read_text()
    in_file = [entry for entry in map(json.loads, lines.splitlines()) if entry["job_name"] == name]
    assert in_file == over_http
    assert "s3cr3t" not in lines


def test_figures_are_counted(batch: LocalBatchHandle, jobs: Jobs) -> None:
    before = batch.stats()["calls"].get("CancelJob", {}).get("ok", 0)
    job_id = jobs.submit("sleep", "60")
    jobs.wait(job_id, "RUNNING")
    jobs.client.cancel_job(jobId=job_id, reason="never mind")

    _, stats = http("GET", f"{batch.url}/_local/stats")

    assert stats["calls"]["CancelJob"]["ok"] == before + 1
    assert stats["jobs"][Status.RUNNING] >= 1
    assert sum(stats["vcpus"].values()) >= 1
    jobs.client.terminate_job(jobId=job_id, reason="enough")
