"""Array jobs: a parent, its children, and what they know of themselves."""

from itertools import pairwise

import pytest
from types_boto3_batch import BatchClient
from types_boto3_logs import CloudWatchLogsClient

from contract.local_batch.support import Jobs, error, messages, until


def test_each_child_knows_its_index(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    script = "echo $AWS_BATCH_JOB_ARRAY_INDEX $AWS_BATCH_JOB_ARRAY_SIZE $AWS_BATCH_JOB_ID"
    parent = jobs.wait(jobs.shell(script, arrayProperties={"size": 3}))

    assert parent["status"] == "SUCCEEDED"
    for index in range(3):
        child = jobs.get(f"{parent['jobId']}:{index}")
        assert child["arrayProperties"] == {"index": index}
        assert messages(logs, child["container"]["logStreamName"]) == [
            f"{index} 3 {parent['jobId']}:{index}"
        ]


def test_a_parent_is_pending_and_counts_its_children(jobs: Jobs) -> None:
    parent = jobs.submit("sleep", "60", arrayProperties={"size": 2})

    def running() -> bool:
        job = jobs.get(parent)
        summary = job.get("arrayProperties", {}).get("statusSummary", {})
        return job["status"] == "PENDING" and summary.get("RUNNING") == 2

    until(running, lambda: f"the parent is {jobs.get(parent)}")
    jobs.client.terminate_job(jobId=parent, reason="enough")
    job = jobs.wait(parent)
    assert job["arrayProperties"]["statusSummary"]["FAILED"] == 2
    assert job["statusReason"] == "enough"


def test_a_failed_child_fails_the_parent(jobs: Jobs) -> None:
    script = "exit $AWS_BATCH_JOB_ARRAY_INDEX"
    parent = jobs.wait(jobs.shell(script, arrayProperties={"size": 2}))

    assert parent["status"] == "FAILED"
    assert parent["statusReason"] == "Array Child Job failed"
    summary = parent["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (1, 1)


def test_children_are_listed_by_their_parent_alone(client: BatchClient, jobs: Jobs) -> None:
    parent = jobs.wait(jobs.submit("true", jobName="array", arrayProperties={"size": 2}))
    by_name = client.list_jobs(jobQueue="main", filters=[{"name": "JOB_NAME", "values": ["array"]}])
    by_parent = client.list_jobs(arrayJobId=parent["jobId"], jobStatus="SUCCEEDED")

    assert [job["jobId"] for job in by_name["jobSummaryList"]] == [parent["jobId"]]
    assert [job["arrayProperties"] for job in by_parent["jobSummaryList"]] == [
        {"index": 1},
        {"index": 0},
    ]


def test_children_in_sequence_do_not_overlap(jobs: Jobs) -> None:
    parent = jobs.wait(
        jobs.submit("true", arrayProperties={"size": 3}, dependsOn=[{"type": "SEQUENTIAL"}])
    )
    children = [jobs.get(f"{parent['jobId']}:{index}") for index in range(3)]

    for first, second in pairwise(children):
        assert first["stoppedAt"] <= second["startedAt"]


def test_children_are_tried_again_by_themselves(jobs: Jobs) -> None:
    script = "[ $AWS_BATCH_JOB_ATTEMPT = 2 ] || [ $AWS_BATCH_JOB_ARRAY_INDEX = 0 ]"
    parent = jobs.wait(
        jobs.shell(script, arrayProperties={"size": 2}, retryStrategy={"attempts": 2})
    )

    assert parent["status"] == "SUCCEEDED"
    attempts = [len(jobs.get(f"{parent['jobId']}:{index}")["attempts"]) for index in range(2)]
    assert attempts == [1, 2]


@pytest.mark.parametrize("size", [0, 1, 10_001])
def test_an_array_has_2_to_10000_children(jobs: Jobs, size: int) -> None:
    code, message = error(jobs.submit, arrayProperties={"size": size})

    assert code == "ClientException"
    assert "2 to 10000" in message
