"""The wire itself: signatures, routes, ids, and what botocore would never send."""

import http.client
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from types_boto3_batch import BatchClient

from batchtask_local.batch import LocalBatchHandle
from contract.local_batch.support import Jobs, error


def signature(age_seconds: float = 0) -> dict[str, str]:
    signed_at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    return {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/batch/aws4_request",
        "X-Amz-Date": f"{signed_at:%Y%m%dT%H%M%SZ}",
    }


def post(
    batch: LocalBatchHandle, path: str, body: Any, headers: Mapping[str, str]
) -> tuple[int, Mapping[str, str], Any]:
    connection = http.client.HTTPConnection(urlsplit(batch.url).netloc, timeout=10)
    try:
        data = body if isinstance(body, str) else json.dumps(body)
        connection.request("POST", path, data, dict(headers))
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), json.loads(reply.read())
    finally:
        connection.close()


def code(reply: tuple[int, Mapping[str, str], Any]) -> str:
    assert reply[1]["x-amzn-ErrorType"] == reply[2]["__type"]
    return str(reply[2]["__type"])


def test_any_signature_is_good_enough(batch: LocalBatchHandle) -> None:
    status, headers, body = post(batch, "/v1/describejobs", {"jobs": ["x"]}, signature())

    assert (status, body) == (200, {"jobs": []})
    assert len(headers["x-amzn-RequestId"]) == 36


def test_without_a_signature_nothing_is_served(batch: LocalBatchHandle) -> None:
    reply = post(batch, "/v1/describejobs", {"jobs": ["x"]}, {})

    assert (reply[0], code(reply)) == (403, "MissingAuthenticationTokenException")


def test_an_old_signature_is_refused(batch: LocalBatchHandle) -> None:
    # 15 of Batch's minutes are 18 s here.
    reply = post(batch, "/v1/describejobs", {"jobs": ["x"]}, signature(age_seconds=60))

    assert (reply[0], code(reply)) == (403, "InvalidSignatureException")
    assert reply[2]["message"].startswith("Signature expired: ")


def test_an_unknown_path_is_refused(batch: LocalBatchHandle) -> None:
    reply = post(batch, "/v1/nothing", {}, signature())

    assert (reply[0], code(reply)) == (404, "UnknownOperationException")


def test_a_body_that_is_no_json_is_refused(batch: LocalBatchHandle) -> None:
    reply = post(batch, "/v1/describejobs", "{", signature())

    assert (reply[0], code(reply)) == (400, "SerializationException")


@pytest.mark.parametrize(
    "body", [{"jobs": ["x"], "more": 1}, {"jobs": "x"}, {"jobs": [1]}, {}, {"jobs": None}]
)
def test_what_the_model_does_not_allow_is_a_client_exception(
    batch: LocalBatchHandle, body: Any
) -> None:
    reply = post(batch, "/v1/describejobs", body, signature())

    assert (reply[0], code(reply)) == (400, "ClientException")


def test_an_operation_that_is_not_served_says_so(client: BatchClient) -> None:
    code, message = error(client.list_scheduling_policies)

    assert code == "NotImplementedException"
    assert "ListSchedulingPolicies" in message


def test_an_error_names_its_request(client: BatchClient) -> None:
    _, message = error(client.describe_jobs, jobs=["x"] * 101)

    assert message.startswith("Error executing request, Exception : ")
    assert len(message.rpartition("RequestId: ")[2]) == 36


def test_the_wording_of_what_is_not_found_is_awss(jobs: Jobs) -> None:
    arn = "arn:aws:batch:us-east-1:123456789012:job-definition/nothing:1"

    assert error(jobs.submit, jobQueue="nothing")[1] == "JobQueue nothing not found."
    assert error(jobs.submit, jobDefinition=arn)[1] == f"JobDefinition {arn} not found."
    assert error(jobs.submit, jobDefinition="nothing")[1] == (
        "JobDefinition name nothing does not exist or is not in ACTIVE status"
    )


def test_summaries_leave_out_what_aws_leaves_out(client: BatchClient, jobs: Jobs) -> None:
    job = jobs.run("true", jobName="summary")
    (by_name,) = client.list_jobs(
        jobQueue="main", filters=[{"name": "JOB_NAME", "values": ["summary"]}]
    )["jobSummaryList"]
    by_status = client.list_jobs(jobQueue="main", jobStatus="SUCCEEDED")["jobSummaryList"][0]

    # boto/boto3#3315: a filtered list has no times.
    assert "startedAt" not in by_name
    assert by_status["startedAt"] == job["startedAt"]
    assert by_status["container"] == {"exitCode": 0}
    assert "isTerminated" not in by_status
