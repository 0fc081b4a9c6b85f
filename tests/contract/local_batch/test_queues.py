"""Who runs where and when: room, order, priority, and jobs that never fit."""

from typing import Any

from types_boto3_batch import BatchClient

from contract.local_batch.support import Jobs, error, make_queue, until

MAX_RESOURCE = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
REQUIREMENT = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
POLICY = "arn:aws:batch:us-east-1:123456789012:scheduling-policy/fair"


def needing(**needs: str) -> dict[str, Any]:
    requirements = [{"type": kind, "value": value} for kind, value in needs.items()]
    return {"command": ["sleep", "60"], "resourceRequirements": requirements}


def test_what_has_no_room_waits_for_it(client: BatchClient, name: str) -> None:
    jobs = Jobs(client, make_queue(client, name, vcpus=1), "busybox")
    first = jobs.submit("sleep", "60")
    jobs.wait(first, "RUNNING")
    second = jobs.submit("true")
    jobs.wait(second, "RUNNABLE")
    client.terminate_job(jobId=first, reason="enough")

    job = jobs.wait(second)

    assert job["status"] == "SUCCEEDED"
    assert job["startedAt"] >= jobs.get(first)["stoppedAt"]


def test_a_part_of_a_vcpu_counts_as_such(client: BatchClient, name: str) -> None:
    jobs = Jobs(client, make_queue(client, name, vcpus=1), "busybox")
    quarter = {"containerOverrides": needing(VCPU="0.25")}
    running = [jobs.submit(**quarter) for _ in range(4)]
    for job in running:
        jobs.wait(job, "RUNNING")
    fifth = jobs.submit(**quarter)

    jobs.wait(fifth, "RUNNABLE")
    snapshot = client.get_job_queue_snapshot(jobQueue=name)
    usage = snapshot["queueUtilization"]["totalCapacityUsage"]
    assert usage == [{"capacityUnit": "VCPU", "quantity": 1.0}]
    client.terminate_jobs(jobs=[*running, fifth], reason="enough")


def test_a_job_that_asks_for_too_many_vcpus_says_why_it_is_stuck(
    client: BatchClient, name: str
) -> None:
    jobs = Jobs(client, make_queue(client, name, vcpus=2), "busybox")
    stuck = jobs.submit(containerOverrides=needing(VCPU="3"))
    behind = jobs.submit("true")
    jobs.wait(behind, "RUNNABLE")

    job = jobs.get(stuck)

    assert job["status"] == "RUNNABLE"
    assert job["statusReason"].startswith(f"{MAX_RESOURCE} - ")
    (summary,) = [
        listed
        for listed in client.list_jobs(jobQueue=name, jobStatus="RUNNABLE")["jobSummaryList"]
        if listed["jobId"] == stuck
    ]
    assert summary["statusReason"] == job["statusReason"]
    client.cancel_job(jobId=stuck, reason="too large")
    assert jobs.wait(behind)["status"] == "SUCCEEDED"


def test_a_job_that_no_machine_can_take_says_why_it_is_stuck(
    client: BatchClient, name: str
) -> None:
    jobs = Jobs(client, make_queue(client, name), "busybox")
    for needs in ({"MEMORY": "65537"}, {"GPU": "1"}):
        job_id = jobs.submit(containerOverrides=needing(**needs))
        job = jobs.wait(job_id, "RUNNABLE")

        assert job["statusReason"].startswith(f"{REQUIREMENT} - The job resource requirement")
        client.terminate_job(jobId=job_id, reason="too large")


def test_the_queue_with_the_higher_priority_comes_first(client: BatchClient, name: str) -> None:
    low = Jobs(client, make_queue(client, f"{name}-low", vcpus=1, priority=1), "busybox")
    high = Jobs(client, f"{name}-high", "busybox")
    client.create_job_queue(
        jobQueueName=high.queue,
        priority=10,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": low.queue}],
    )
    blocker = low.submit("sleep", "60")
    low.wait(blocker, "RUNNING")
    late, early = low.submit("true"), high.submit("true")
    for jobs, job in ((low, late), (high, early)):
        jobs.wait(job, "RUNNABLE")
    client.terminate_job(jobId=blocker, reason="enough")

    assert low.wait(late)["startedAt"] >= high.wait(early)["stoppedAt"]


def test_a_disabled_queue_finishes_what_it_has(client: BatchClient, name: str) -> None:
    jobs = Jobs(client, make_queue(client, name), "busybox")
    job = jobs.submit("true")
    client.update_job_queue(jobQueue=name, state="DISABLED")

    assert jobs.wait(job)["status"] == "SUCCEEDED"
    code, message = error(jobs.submit)
    assert (code, message) == ("ClientException", f"JobQueue {name} is in DISABLED state.")


def test_deleting_a_queue_ends_its_jobs(client: BatchClient, name: str) -> None:
    jobs = Jobs(client, make_queue(client, name), "busybox")
    job = jobs.submit("sleep", "60")
    jobs.wait(job, "RUNNING")
    client.update_job_queue(jobQueue=name, state="DISABLED")
    client.delete_job_queue(jobQueue=name)

    assert jobs.wait(job)["status"] == "FAILED"
    assert error(jobs.submit) == ("ClientException", f"JobQueue {name} not found.")


def test_shares_are_for_fair_share_queues(client: BatchClient, name: str) -> None:
    fair = Jobs(client, make_queue(client, name, schedulingPolicyArn=POLICY), "busybox")
    plain = Jobs(client, "main", "busybox")

    assert fair.run("true", shareIdentifier="blue")["shareIdentifier"] == "blue"
    assert error(fair.submit)[0] == "ClientException"
    assert "fair share" in error(plain.submit, shareIdentifier="blue")[1]


def test_a_snapshot_of_a_fair_share_queue_shows_its_shares(client: BatchClient, name: str) -> None:
    jobs = Jobs(client, make_queue(client, name, schedulingPolicyArn=POLICY), "busybox")
    running = [jobs.submit("sleep", "60", shareIdentifier=share) for share in ("blue", "red")]
    for job in running:
        jobs.wait(job, "RUNNING")

    def shares() -> list[str]:
        reply = client.get_job_queue_snapshot(jobQueue=name)
        fair = reply["queueUtilization"]["fairshareUtilization"]
        return sorted(share["shareIdentifier"] for share in fair["topCapacityUtilization"])

    until(lambda: shares() == ["blue", "red"], lambda: f"only {shares()}")
    client.terminate_jobs(jobs=running, reason="enough")
