"""What becomes of a job's process: exit codes, retries, time-outs, ends, in AWS's words."""

from typing import Any

import pytest
from types_boto3_batch import BatchClient
from types_boto3_logs import CloudWatchLogsClient

from batchtask_local.batch import CANNOT_PULL_IMAGE, LocalBatchHandle
from contract.local_batch.support import NEEDS, Jobs, error, make_definition, messages, until

EXITED = "Essential container in task exited"
RULES = [
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "CannotPull*", "action": "RETRY"},
    {"onReason": "*", "action": "EXIT"},
]


@pytest.mark.parametrize(("code", "status"), [(0, "SUCCEEDED"), (1, "FAILED"), (42, "FAILED")])
def test_an_exit_code_decides(jobs: Jobs, code: int, status: str) -> None:
    job = jobs.run("sh", "-c", f"exit {code}")

    assert job["status"] == status
    assert job["statusReason"] == EXITED
    assert job["container"]["exitCode"] == code
    assert "reason" not in job["container"]


def test_a_signal_is_an_exit_code_above_128(jobs: Jobs) -> None:
    assert jobs.run("sh", "-c", "kill -9 $$")["container"]["exitCode"] == 137


def test_an_attempt_has_its_own_times_and_task(jobs: Jobs) -> None:
    job = jobs.run("true")

    (attempt,) = job["attempts"]
    assert attempt["startedAt"] == job["startedAt"]
    assert attempt["stoppedAt"] == job["stoppedAt"]
    assert attempt["statusReason"] == EXITED
    assert attempt["container"]["taskArn"] == job["container"]["taskArn"]
    assert attempt["container"]["logStreamName"].startswith("busybox/default/")


def test_before_it_starts_a_job_has_no_start_and_no_log(jobs: Jobs) -> None:
    blocked = jobs.submit("true", dependsOn=[{"jobId": jobs.submit("sleep", "60")}])
    job = jobs.wait(blocked, "PENDING")

    assert "startedAt" not in job
    assert "logStreamName" not in job["container"]
    assert job["attempts"] == []


def test_a_job_is_tried_again(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    script = 'echo "try $AWS_BATCH_JOB_ATTEMPT"; [ $AWS_BATCH_JOB_ATTEMPT = 3 ]'
    job = jobs.wait(jobs.shell(script, retryStrategy={"attempts": 5}))

    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [1, 1, 0]
    streams = [attempt["container"]["logStreamName"] for attempt in job["attempts"]]
    assert [messages(logs, stream) for stream in streams] == [["try 1"], ["try 2"], ["try 3"]]


def test_the_definitions_strategy_counts_unless_the_job_has_one(
    client: BatchClient, jobs: Jobs, name: str
) -> None:
    make_definition(client, name, retryStrategy={"attempts": 2})

    for more, attempts in (({}, 2), ({"retryStrategy": {"attempts": 1}}, 1)):
        job = jobs.wait(jobs.submit("false", jobDefinition=name, **more))
        assert len(job["attempts"]) == attempts


def test_a_container_that_ran_and_failed_is_not_tried_again_by_the_rules(jobs: Jobs) -> None:
    job = jobs.run("false", retryStrategy={"attempts": 3, "evaluateOnExit": RULES})

    assert len(job["attempts"]) == 1


def test_a_reclaimed_machine_is_tried_again_by_the_rules(
    batch: LocalBatchHandle, jobs: Jobs
) -> None:
    script = "[ $AWS_BATCH_JOB_ATTEMPT = 2 ] || sleep 60"
    job_id = jobs.shell(script, retryStrategy={"attempts": 3, "evaluateOnExit": RULES})
    jobs.wait(job_id, "RUNNING")
    assert batch.reclaim(job_id)

    job = jobs.wait(job_id)

    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")
    assert "exitCode" not in job["attempts"][0]["container"]


def test_an_image_that_can_not_be_pulled_never_starts(
    client: BatchClient, jobs: Jobs, name: str
) -> None:
    properties = {"image": CANNOT_PULL_IMAGE, "resourceRequirements": NEEDS}
    make_definition(client, name, containerProperties=properties)
    strategy = {"attempts": 2, "evaluateOnExit": RULES}
    job = jobs.run(jobDefinition=name, retryStrategy=strategy)

    assert job["status"] == "FAILED"
    assert len(job["attempts"]) == 2
    assert job["container"]["reason"].startswith("CannotPullContainerError: ")
    assert job["statusReason"] == "Task failed to start"
    assert "startedAt" not in job


@pytest.mark.parametrize("command", [["no-such-program"], ["/etc/passwd"]])
def test_a_command_that_is_no_program_fails_to_start(jobs: Jobs, command: list[str]) -> None:
    job = jobs.run(*command)

    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Task failed to start"
    assert job["container"]["reason"].startswith("CannotStartContainerError: ")
    assert "startedAt" not in job


def test_without_any_command_the_reason_says_so(client: BatchClient, jobs: Jobs, name: str) -> None:
    make_definition(client, name, containerProperties={"image": "x", "resourceRequirements": NEEDS})

    assert "there is no command" in jobs.run(jobDefinition=name)["container"]["reason"]


# Time-outs


def test_a_job_that_takes_too_long_is_ended(jobs: Jobs) -> None:
    job = jobs.run(
        "sleep", "60", timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3}
    )

    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert job["container"]["exitCode"] == 143
    assert len(job["attempts"]) == 1


def test_a_job_that_ignores_sigterm_is_killed(jobs: Jobs) -> None:
    script = "trap '' TERM; while true; do sleep 0.01; done"
    job = jobs.wait(jobs.shell(script, timeout={"attemptDurationSeconds": 60}))

    assert job["container"]["exitCode"] == 137


def test_a_job_may_clean_up_after_sigterm(jobs: Jobs, logs: CloudWatchLogsClient) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo ready; while true; do sleep 0.01; done"
    job_id = jobs.shell(script)
    stream = jobs.wait(job_id, "RUNNING")["container"]["logStreamName"]
    until(lambda: messages(logs, stream) == ["ready"], lambda: "the job never was ready")
    jobs.client.terminate_job(jobId=job_id, reason="enough")

    job = jobs.wait(job_id)

    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 0)
    assert messages(logs, stream) == ["ready", "bye"]


def test_under_a_minute_is_no_time_out(jobs: Jobs) -> None:
    code, message = error(jobs.submit, timeout={"attemptDurationSeconds": 59})

    assert code == "ClientException"
    assert "60" in message


# Terminate and cancel


def test_a_running_job_is_terminated(jobs: Jobs) -> None:
    job_id = jobs.submit("sleep", "60", retryStrategy={"attempts": 3})
    jobs.wait(job_id, "RUNNING")
    jobs.client.terminate_job(jobId=job_id, reason="not needed")

    job = jobs.wait(job_id)

    assert job["statusReason"] == "not needed"
    assert (job["isTerminated"], job["isCancelled"]) == (True, False)
    assert job["container"]["exitCode"] == 143
    assert len(job["attempts"]) == 1


def test_cancelling_a_running_job_succeeds_and_does_nothing(jobs: Jobs) -> None:
    job_id = jobs.submit("sleep", "60")
    jobs.wait(job_id, "RUNNING")
    jobs.client.cancel_job(jobId=job_id, reason="never mind")

    job = jobs.get(job_id)

    assert (job["status"], job["isCancelled"]) == ("RUNNING", False)
    jobs.client.terminate_job(jobId=job_id, reason="enough")


def test_a_waiting_job_is_cancelled(jobs: Jobs) -> None:
    first = jobs.submit("sleep", "60")
    job_id = jobs.submit("true", dependsOn=[{"jobId": first}])
    jobs.wait(job_id, "PENDING")
    jobs.client.cancel_job(jobId=job_id, reason="never mind")
    assert jobs.get(job_id)["status"] == "PENDING"
    jobs.client.terminate_job(jobId=first, reason="enough")

    job = jobs.wait(job_id)

    assert job["statusReason"] == "never mind"
    assert (job["isTerminated"], job["isCancelled"]) == (False, True)


# Dependencies


def test_a_failed_dependency_fails_the_job(jobs: Jobs) -> None:
    job = jobs.run("true", dependsOn=[{"jobId": jobs.submit("false")}])

    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Dependent Job failed"
    assert job["attempts"] == []


def test_a_job_runs_after_those_it_depends_on(jobs: Jobs) -> None:
    first = jobs.shell("sleep 0.1")
    second = jobs.run("true", dependsOn=[{"jobId": first}])

    assert second["status"] == "SUCCEEDED"
    assert second["startedAt"] >= jobs.get(first)["stoppedAt"]
    assert second["dependsOn"] == [{"jobId": first}]


@pytest.mark.parametrize(
    "depends_on",
    [[{"jobId": "nothing"}], [{"jobId": "x"}] * 21, [{}], [{"jobId": "x", "type": "N_TO_N"}]],
)
def test_a_dependency_that_makes_no_sense_is_refused(jobs: Jobs, depends_on: Any) -> None:
    code, _ = error(jobs.submit, dependsOn=depends_on)

    assert code == "ClientException"


# Retry strategies


@pytest.mark.parametrize(
    "strategy",
    [
        {"attempts": 0},
        {"attempts": 11},
        {"evaluateOnExit": RULES},
        {"attempts": 2, "evaluateOnExit": RULES * 2},
        {"attempts": 2, "evaluateOnExit": [{"action": "RETRY"}]},
        {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "action": "STOP"}]},
        {"attempts": 2, "evaluateOnExit": [{"onReason": "a*b", "action": "EXIT"}]},
        {"attempts": 2, "evaluateOnExit": [{"onReason": "x" * 513, "action": "EXIT"}]},
    ],
)
def test_a_strategy_over_the_limits_is_refused(jobs: Jobs, strategy: Any) -> None:
    code, _ = error(jobs.submit, retryStrategy=strategy)

    assert code == "ClientException"


def test_rules_without_attempts_are_refused_in_awss_words(jobs: Jobs) -> None:
    _, message = error(jobs.submit, retryStrategy={"evaluateOnExit": RULES})

    assert "RetryAttempts must be provided with retry strategy" in message


# Sizes


def test_overrides_over_8192_characters_fail_the_job_later(jobs: Jobs) -> None:
    job = jobs.run("echo", "x" * 8192)

    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Container Overrides length must be at most 8192"
    assert job["attempts"] == []


def test_a_request_over_30_kib_is_refused(jobs: Jobs) -> None:
    code, message = error(jobs.submit, parameters={"a": "x" * 47 * 1024})

    assert code == "ClientException"
    assert "Job size must be less than 30 KiB, got 47 KiB" in message


def test_more_than_50_tags_are_refused(jobs: Jobs) -> None:
    code, _ = error(jobs.submit, tags={str(number): "" for number in range(51)})

    assert code == "ClientException"


def test_propagated_tags_may_be_50_in_all(client: BatchClient, jobs: Jobs, name: str) -> None:
    make_definition(client, name, tags={f"a{number}": "" for number in range(30)})
    job = jobs.run(
        "true",
        jobDefinition=name,
        propagateTags=True,
        tags={f"b{number}": "" for number in range(30)},
    )

    assert job["status"] == "FAILED"
    assert "tags" in job["statusReason"]


def test_states_come_in_their_order(jobs: Jobs) -> None:
    job_id = jobs.submit("sleep", "60")
    seen: list[str] = []

    def has_reached(wanted: str) -> bool:
        status = jobs.get(job_id)["status"]
        if status not in seen:
            seen.append(status)
        return status == wanted

    until(lambda: has_reached("RUNNING"), lambda: f"saw {seen}")
    jobs.client.terminate_job(jobId=job_id, reason="enough")
    until(lambda: has_reached("FAILED"), lambda: f"saw {seen}")

    order = ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "FAILED"]
    assert seen == [status for status in order if status in seen]
