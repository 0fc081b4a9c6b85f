"""One suite over local Batch and over moto, an independent reading of AWS's API."""

from typing import Any

import pytest

from contract.local_batch.support import Jobs, batch_client, error, make_definition, names

ACCOUNT = "arn:aws:batch:us-east-1:123456789012"
MOTO_CANNOT = {
    "test_more_than_100_jobs_are_too_many_to_describe": "describes any number",
    "test_a_list_without_a_status_has_running_jobs_alone": "lists every state",
    "test_lists_have_pages": "has no pages",
    "test_a_filtered_list_has_pages_of_100": "has no pages",
    "test_jobs_are_listed_newest_first": "lists the oldest first",
    "test_jobs_are_listed_by_definition": "knows no filter but JOB_NAME",
    "test_jobs_are_listed_by_time": "knows no filter but JOB_NAME",
    "test_a_list_names_one_queue_or_array": "lists nothing",
    "test_only_one_filter_can_be_used": "takes any number",
    "test_jobs_are_terminated_in_bulk": "has no TerminateJobs",
    "test_jobs_are_cancelled_in_bulk": "has no CancelJobs",
    "test_a_snapshot_shows_who_waits": "has no GetJobQueueSnapshot",
    "test_a_retry_strategy_is_shown": "ignores SubmitJob's retryStrategy",
    "test_an_ended_job_stays_as_it_is": "gives a succeeded job the reason of its termination",
    "test_a_disabled_queue_takes_no_jobs": "takes jobs into disabled queues",
    "test_an_enabled_queue_is_not_deleted": "deletes enabled queues",
    "test_an_inactive_definition_makes_no_jobs": "finds inactive definitions",
    "test_an_exit_code_is_shown": "shows no exit codes",
    "test_definitions_are_described_by_revision": "finds whole ARNs alone",
    "test_a_name_that_is_none_is_refused": "looks at a name's first characters alone",
    "test_unknown_members_are_refused": "ignores unknown members",
    "test_an_environment_in_use_is_not_deleted": "has no such check",
}
"""What is asked of local Batch alone, and what moto 5.2.5 does there."""


def test_the_table_names_tests_that_there_are() -> None:
    assert MOTO_CANNOT.keys() <= globals().keys()


# Job definitions


def test_revisions_count_up(backend: Jobs, name: str) -> None:
    arns = [make_definition(backend.client, f"{name}-def") for _ in range(3)]

    assert arns == [f"{ACCOUNT}:job-definition/{name}-def:{number}" for number in (1, 2, 3)]


def test_definitions_are_described_by_name(backend: Jobs) -> None:
    client, name = backend.client, backend.definition
    make_definition(client, name)

    found = client.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"]

    assert sorted(definition["revision"] for definition in found) == [1, 2]
    assert {definition["status"] for definition in found} == {"ACTIVE"}
    assert found[0]["containerProperties"]["image"] == "busybox"


def test_definitions_are_described_by_revision(backend: Jobs) -> None:
    client, name = backend.client, backend.definition
    make_definition(client, name)
    for reference in (f"{name}:1", f"{ACCOUNT}:job-definition/{name}:1"):
        found = client.describe_job_definitions(jobDefinitions=[reference])["jobDefinitions"]

        assert [definition["revision"] for definition in found] == [1]


def test_deregistered_definitions_are_inactive(backend: Jobs) -> None:
    client, name = backend.client, backend.definition
    client.deregister_job_definition(jobDefinition=f"{name}:1")

    active = client.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")
    inactive = client.describe_job_definitions(jobDefinitionName=name, status="INACTIVE")

    assert active["jobDefinitions"] == []
    assert [found["revision"] for found in inactive["jobDefinitions"]] == [1]


def test_an_inactive_definition_makes_no_jobs(backend: Jobs) -> None:
    client, name = backend.client, backend.definition
    client.deregister_job_definition(jobDefinition=f"{name}:1")

    for reference in (name, f"{name}:1"):
        code, _ = error(
            client.submit_job, jobName="a", jobQueue=backend.queue, jobDefinition=reference
        )
        assert code == "ClientException"


@pytest.mark.parametrize(
    "change",
    [
        {"containerProperties": {"image": "busybox", "vcpus": 1}},
        {"containerProperties": {"image": "busybox", "memory": 128}},
        {"type": "nothing"},
    ],
)
def test_an_incomplete_definition_is_refused(backend: Jobs, change: dict[str, Any]) -> None:
    code, _ = error(make_definition, client=backend.client, name="a", **change)

    assert code == "ClientException"


# Queues and environments


def test_a_queue_is_found_by_name_and_arn(backend: Jobs) -> None:
    arn = f"{ACCOUNT}:job-queue/{backend.queue}"
    for reference in (backend.queue, arn):
        (queue,) = backend.client.describe_job_queues(jobQueues=[reference])["jobQueues"]

        assert queue["jobQueueArn"] == arn
        assert (queue["state"], queue["status"]) == ("ENABLED", "VALID")


def test_a_queue_that_is_not_there_is_left_out(backend: Jobs) -> None:
    assert backend.client.describe_job_queues(jobQueues=["nothing"])["jobQueues"] == []


def test_a_queue_is_changed(backend: Jobs) -> None:
    backend.client.update_job_queue(jobQueue=backend.queue, state="DISABLED", priority=7)

    (queue,) = backend.client.describe_job_queues(jobQueues=[backend.queue])["jobQueues"]

    assert (queue["state"], queue["priority"]) == ("DISABLED", 7)
    assert len(queue["computeEnvironmentOrder"]) == 1


def test_a_queue_of_that_name_is_there_already(backend: Jobs) -> None:
    order: Any = [{"order": 1, "computeEnvironment": backend.queue}]

    code, message = error(
        backend.client.create_job_queue,
        jobQueueName=backend.queue,
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=order,
    )

    assert code == "ClientException"
    assert "already exists" in message


def test_an_enabled_queue_is_not_deleted(backend: Jobs) -> None:
    code, _ = error(backend.client.delete_job_queue, jobQueue=backend.queue)

    assert code == "ClientException"


def test_an_environment_in_use_is_not_deleted(backend: Jobs) -> None:
    client = backend.client
    client.update_compute_environment(computeEnvironment=backend.queue, state="DISABLED")

    _, message = error(client.delete_compute_environment, computeEnvironment=backend.queue)

    assert message == "Cannot delete, found existing JobQueue relationship"


def test_a_queue_and_its_environment_are_deleted(backend: Jobs) -> None:
    client, name = backend.client, backend.queue
    client.update_job_queue(jobQueue=name, state="DISABLED")
    client.delete_job_queue(jobQueue=name)
    client.update_compute_environment(computeEnvironment=name, state="DISABLED")
    client.delete_compute_environment(computeEnvironment=name)

    assert client.describe_job_queues(jobQueues=[name])["jobQueues"] == []
    found = client.describe_compute_environments(computeEnvironments=[name])
    assert found["computeEnvironments"] == []


# Submitting


@pytest.mark.parametrize("definition", ["{name}", "{name}:1", ACCOUNT + ":job-definition/{name}:1"])
@pytest.mark.parametrize("queue", ["{name}", ACCOUNT + ":job-queue/{name}"])
def test_queue_and_definition_have_names_and_arns(
    backend: Jobs, queue: str, definition: str
) -> None:
    reply = backend.client.submit_job(
        jobName="job",
        jobQueue=queue.format(name=backend.queue),
        jobDefinition=definition.format(name=backend.definition),
    )

    job = backend.get(reply["jobId"])
    assert reply["jobName"] == "job"
    assert reply["jobArn"] == f"{ACCOUNT}:job/{reply['jobId']}"
    assert job["jobQueue"] == f"{ACCOUNT}:job-queue/{backend.queue}"
    assert job["jobDefinition"] == f"{ACCOUNT}:job-definition/{backend.definition}:1"


def test_without_a_revision_the_newest_is_meant(backend: Jobs) -> None:
    make_definition(backend.client, backend.definition)

    job = backend.get(backend.submit())

    assert job["jobDefinition"].endswith(f"{backend.definition}:2")


@pytest.mark.parametrize(
    "change",
    [
        {"jobQueue": "nothing"},
        {"jobDefinition": "nothing"},
        {"jobDefinition": "nothing:3"},
    ],
)
def test_what_can_not_be_submitted_is_a_client_exception(
    backend: Jobs, change: dict[str, Any]
) -> None:
    request: Any = {
        "jobName": "job",
        "jobQueue": backend.queue,
        "jobDefinition": backend.definition,
        **change,
    }

    code, _ = error(backend.client.submit_job, **request)

    assert code == "ClientException"


@pytest.mark.parametrize("job_name", ["-begins-with-a-dash", "has a space", "x" * 129, "é"])
def test_a_name_that_is_none_is_refused(backend: Jobs, job_name: str) -> None:
    code, message = error(backend.submit, jobName=job_name)

    assert code == "ClientException"
    assert message.startswith(
        "Error executing request, Exception : Job name should match valid pattern, RequestId: "
    )


def test_unknown_members_are_refused(backend: Jobs) -> None:
    client = batch_client(backend.client.meta.endpoint_url)
    # botocore would refuse it itself, before sending.
    client.meta.events.register_first(
        "before-call.batch.SubmitJob", lambda params, **_: params.update(body=b'{"jobNam": "x"}')
    )

    code, message = error(
        client.submit_job, jobName="x", jobQueue=backend.queue, jobDefinition=backend.definition
    )

    assert code == "ClientException"
    assert "jobNam" in message


def test_a_disabled_queue_takes_no_jobs(backend: Jobs) -> None:
    backend.client.update_job_queue(jobQueue=backend.queue, state="DISABLED")

    code, message = error(
        backend.client.submit_job,
        jobName="job",
        jobQueue=backend.queue,
        jobDefinition=backend.definition,
    )

    assert code == "ClientException"
    assert "DISABLED" in message


# Describing


def test_a_job_succeeds(backend: Jobs) -> None:
    job = backend.wait(backend.submit("true"))

    assert job["status"] == "SUCCEEDED"
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]


def test_an_exit_code_is_shown(backend: Jobs) -> None:
    job = backend.wait(backend.submit("sh", "-c", "exit 3"))

    assert job["status"] == "FAILED"
    assert job["container"]["exitCode"] == 3


def test_overrides_are_shown(backend: Jobs) -> None:
    job = backend.get(backend.submit("echo", "hi"))

    assert job["container"]["command"] == ["echo", "hi"]


def test_time_out_and_parameters_are_shown(backend: Jobs) -> None:
    job = backend.get(
        backend.submit("true", timeout={"attemptDurationSeconds": 90}, parameters={"a": "b"})
    )

    assert job["timeout"] == {"attemptDurationSeconds": 90}
    assert job["parameters"] == {"a": "b"}


def test_a_retry_strategy_is_shown(backend: Jobs) -> None:
    rules = [{"onExitCode": "1*", "action": "EXIT"}]
    strategy = {"attempts": 3, "evaluateOnExit": rules}

    assert backend.get(backend.submit("true", retryStrategy=strategy))["retryStrategy"] == strategy


def test_a_job_that_is_not_there_is_left_out(backend: Jobs) -> None:
    job = backend.submit("true")
    unknown = "00000000-0000-4000-8000-000000000000"

    described = backend.client.describe_jobs(jobs=[unknown, job])["jobs"]

    assert [found["jobId"] for found in described] == [job]


def test_more_than_100_jobs_are_too_many_to_describe(backend: Jobs) -> None:
    code, message = error(backend.client.describe_jobs, jobs=["x"] * 101)

    assert code == "ClientException"
    assert "Maximum number of jobs supported is  100" in message


# Listing


def listed(backend: Jobs, **request: Any) -> list[str]:
    return names(backend.client.list_jobs(jobQueue=backend.queue, **request)["jobSummaryList"])


def filtered(backend: Jobs, name: str, *values: str, **request: Any) -> list[str]:
    return listed(backend, filters=[{"name": name, "values": list(values)}], **request)


def test_jobs_are_listed_by_status(backend: Jobs) -> None:
    backend.wait(backend.submit("true", jobName="good"))

    assert listed(backend, jobStatus="SUCCEEDED") == ["good"]
    assert listed(backend, jobStatus="FAILED") == []


def test_jobs_are_listed_by_name_in_any_case(backend: Jobs) -> None:
    for job_name in ("Test1", "test10", "other"):
        backend.wait(backend.submit("true", jobName=job_name))

    assert filtered(backend, "JOB_NAME", "test1") == ["Test1"]
    assert sorted(filtered(backend, "JOB_NAME", "TEST1*")) == ["Test1", "test10"]
    assert filtered(backend, "JOB_NAME", "nothing*") == []


def test_a_filter_makes_the_status_of_no_account(backend: Jobs) -> None:
    backend.wait(backend.submit("true", jobName="good"))

    assert filtered(backend, "JOB_NAME", "good", jobStatus="RUNNING") == ["good"]


def test_a_list_without_a_status_has_running_jobs_alone(backend: Jobs) -> None:
    backend.wait(backend.submit("true"))

    assert listed(backend) == []


def test_a_list_of_an_unknown_queue_is_refused(backend: Jobs) -> None:
    code, _ = error(backend.client.list_jobs, jobQueue="nothing")

    assert code == "ClientException"


def test_an_unknown_status_is_refused(backend: Jobs) -> None:
    backend.submit("true")

    code, _ = error(backend.client.list_jobs, jobQueue=backend.queue, jobStatus="DONE")

    assert code == "ClientException"


def test_a_list_names_one_queue_or_array(backend: Jobs) -> None:
    for request in ({}, {"jobQueue": backend.queue, "arrayJobId": "x"}):
        code, message = error(backend.client.list_jobs, **request)

        assert code == "ClientException"
        assert "Exactly one of" in message


def test_only_one_filter_can_be_used(backend: Jobs) -> None:
    filters: Any = [{"name": "JOB_NAME", "values": ["a"]}] * 2

    code, _ = error(backend.client.list_jobs, jobQueue=backend.queue, filters=filters)

    assert code == "ClientException"


def test_jobs_are_listed_newest_first(backend: Jobs) -> None:
    for job_name in ("a", "b", "c"):
        backend.submit("true", jobName=job_name)

    assert filtered(backend, "JOB_NAME", "*") == ["c", "b", "a"]


def test_lists_have_pages(backend: Jobs) -> None:
    for number in range(5):
        backend.wait(backend.submit("true", jobName=f"job-{number}"))

    pages = backend.client.get_paginator("list_jobs").paginate(
        jobQueue=backend.queue, jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )

    assert [names(page["jobSummaryList"]) for page in pages] == [
        ["job-4", "job-3"],
        ["job-2", "job-1"],
        ["job-0"],
    ]


def test_a_filtered_list_has_pages_of_100(backend: Jobs) -> None:
    for _ in range(101):
        backend.submit(jobDefinition=backend.definition)
    by_name: Any = [{"name": "JOB_NAME", "values": ["*"]}]

    first = backend.client.list_jobs(jobQueue=backend.queue, filters=by_name, maxResults=1000)
    second = backend.client.list_jobs(
        jobQueue=backend.queue, filters=by_name, nextToken=first["nextToken"]
    )

    assert (len(first["jobSummaryList"]), len(second["jobSummaryList"])) == (100, 1)
    assert "nextToken" not in second


def test_jobs_are_listed_by_definition(backend: Jobs, name: str) -> None:
    make_definition(backend.client, f"{name}-2")
    backend.submit("true", jobName="one")
    backend.submit("true", jobName="two", jobDefinition=f"{name}-2")
    arn = f"{ACCOUNT}:job-definition/{name}-2:1"

    assert filtered(backend, "JOB_DEFINITION", name) == ["one"]
    assert filtered(backend, "JOB_DEFINITION", f"{name}*") == ["two", "one"]
    assert filtered(backend, "JOB_DEFINITION", arn) == ["two"]


def test_jobs_are_listed_by_time(backend: Jobs) -> None:
    created = backend.wait(backend.submit("true", jobName="job"))["createdAt"]

    assert filtered(backend, "BEFORE_CREATED_AT", str(created + 1)) == ["job"]
    assert filtered(backend, "BEFORE_CREATED_AT", str(created)) == []
    assert filtered(backend, "AFTER_CREATED_AT", str(created - 1)) == ["job"]
    assert filtered(backend, "AFTER_CREATED_AT", str(created)) == []


# Ending


@pytest.mark.parametrize("operation", ["terminate_job", "cancel_job"])
def test_what_is_not_there_is_ended(backend: Jobs, operation: str) -> None:
    reply = getattr(backend.client, operation)(
        jobId="00000000-0000-4000-8000-000000000000", reason="enough"
    )

    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("operation", ["terminate_job", "cancel_job"])
def test_an_end_needs_a_reason(backend: Jobs, operation: str) -> None:
    code, _ = error(getattr(backend.client, operation), jobId=backend.submit(), reason="")

    assert code == "ClientException"


def test_an_ended_job_stays_as_it_is(backend: Jobs) -> None:
    job = backend.wait(backend.submit("true"))
    backend.client.terminate_job(jobId=job["jobId"], reason="late")

    assert backend.get(job["jobId"]) == job


def test_jobs_are_terminated_in_bulk(backend: Jobs) -> None:
    running = [backend.submit("sleep", "60") for _ in range(3)]
    unknown = "00000000-0000-4000-8000-000000000000"

    reply = backend.client.terminate_jobs(jobs=[*running, unknown, "!"], reason="enough")

    assert reply["successful"] == [*running, unknown]
    assert [(wrong["job"], wrong["code"]) for wrong in reply["errors"]] == [
        ("!", "ValidationException")
    ]
    assert {backend.wait(job)["statusReason"] for job in running} == {"enough"}
    code, _ = error(backend.client.terminate_jobs, jobs=["x"] * 51, reason="enough")
    assert code == "ClientException"


def test_jobs_are_cancelled_in_bulk(backend: Jobs) -> None:
    client = backend.client
    client.update_compute_environment(computeEnvironment=backend.queue, state="DISABLED")
    waiting = [backend.submit("true") for _ in range(2)]
    for job in waiting:
        backend.wait(job, "RUNNABLE")

    reply = client.cancel_jobs(jobs=waiting, reason="never mind")

    assert reply["successful"] == waiting
    ended = [backend.get(job) for job in waiting]
    assert {(job["status"], job["statusReason"]) for job in ended} == {("FAILED", "never mind")}
    assert [job["isCancelled"] for job in ended] == [True, True]


# Arrays, tags, snapshots


def test_an_array_has_children(backend: Jobs) -> None:
    parent = backend.wait(backend.submit("true", arrayProperties={"size": 2}))

    assert parent["status"] == "SUCCEEDED"
    assert parent["arrayProperties"]["size"] == 2
    assert parent["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 2
    children = backend.client.list_jobs(arrayJobId=parent["jobId"], jobStatus="SUCCEEDED")
    assert sorted(child["jobId"] for child in children["jobSummaryList"]) == [
        f"{parent['jobId']}:0",
        f"{parent['jobId']}:1",
    ]


def test_a_job_has_tags(backend: Jobs) -> None:
    client = backend.client
    job = backend.get(backend.submit("true", tags={"color": "red"}))
    client.tag_resource(resourceArn=job["jobArn"], tags={"size": "large"})
    client.untag_resource(resourceArn=job["jobArn"], tagKeys=["color"])

    assert job["tags"] == {"color": "red"}
    assert client.list_tags_for_resource(resourceArn=job["jobArn"])["tags"] == {"size": "large"}


def test_a_snapshot_shows_who_waits(backend: Jobs) -> None:
    client = backend.client
    client.update_compute_environment(computeEnvironment=backend.queue, state="DISABLED")
    waiting = [backend.submit("true") for _ in range(3)]
    for job in waiting:
        backend.wait(job, "RUNNABLE")

    front = client.get_job_queue_snapshot(jobQueue=backend.queue)["frontOfQueue"]

    assert [job["jobArn"] for job in front["jobs"]] == [
        f"{ACCOUNT}:job/{job_id}" for job_id in waiting
    ]
