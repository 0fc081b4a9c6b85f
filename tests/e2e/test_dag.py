"""An Airflow DAG on local Batch: Airflow, executor, API server and controller are real."""

import json
import re
from collections import Counter

import pytest

from batchtask_local.demo.expected import DAG_ID, JOBS, STATES
from e2e.conftest import Run
from e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]

JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")


def test_every_task_comes_to_the_state_that_it_should(run: Run) -> None:
    assert run.state == "success"
    assert {key: one["state"] for key, one in run.instances.items()} == dict(STATES)


def test_an_attempt_costs_one_job_and_one_submit(run: Run) -> None:
    assert len(run.submits) == JOBS
    assert set(run.submits.values()) == {1}


def test_a_failed_try_is_a_task_of_its_own(run: Run) -> None:
    tries = sorted(
        task["spec"]["airflow"]["tryNumber"]
        for task in run.tasks
        if task["spec"]["airflow"]["taskId"] == "flaky"
    )

    assert tries == [1, 2]


def test_each_task_asks_for_its_own_cpu_and_memory(run: Run) -> None:
    wanted = {"VCPU": "2", "MEMORY": "4096"}
    squares = [task for task in run.tasks if task["spec"]["airflow"]["taskId"] == "square"]
    asked = [
        {one["type"]: one["value"] for one in overrides["resourceRequirements"]}
        for task in squares
        if (overrides := task["spec"]["job"]["containerOverrides"])
    ]

    assert asked == [wanted] * 3


def test_every_batchtask_succeeded_and_says_so(run: Run) -> None:
    ends = {
        (task["status"]["phase"], condition["status"], condition["reason"])
        for task in run.tasks
        for condition in task["status"]["conditions"]
        if condition["type"] == "Succeeded"
    }

    assert ends == {("Succeeded", "True", "JobSucceeded")}


def test_the_outputs_of_jobs_are_readable(run: Run) -> None:
    streams = {task["status"]["logStreamName"] for task in run.tasks}

    assert len(streams) == JOBS
    for stream in streams:
        assert (run.stage.home / "batch" / "logs" / f"{stream}.log").stat().st_size > 0


def test_the_airflow_log_of_a_task_is_readable(run: Run) -> None:
    logs = run.stage.airflow.home / "logs"
    texts = [file.read_text() for file in logs.rglob("*task_id=large*/**/*.log")]

    assert any("the sum is large" in text for text in texts)


def test_airflows_log_says_what_a_tasks_job_went_through(run: Run) -> None:
    (task,) = [one for one in run.tasks if one["spec"]["airflow"]["taskId"] == "large"]

    log = run.stage.airflow.task_log(DAG_ID, run.run_id, "large")

    messages = [message["event"] for message in log]
    assert "the sum is large" in messages
    assert f"BatchTask airflow-tasks/{task['metadata']['name']} was created" in messages
    assert f"AWS Batch took it as job {task['status']['jobId']}" in "\n".join(messages)
    assert "Succeeded, JobSucceeded, exit code 0: The job succeeded" in messages
    assert not [message for message in messages if "can't be read" in message]


def test_airflows_log_of_an_earlier_try_says_it_of_that_try(run: Run) -> None:
    names = {
        one["spec"]["airflow"]["tryNumber"]: one["metadata"]["name"]
        for one in run.tasks
        if one["spec"]["airflow"]["taskId"] == "flaky"
    }

    for number, name in names.items():
        text = json.dumps(run.stage.airflow.task_log(DAG_ID, run.run_id, "flaky", number))
        assert [one for one in names.values() if f"{one} was created" in text] == [name]


def test_airflows_events_tell_a_tasks_way_once(run: Run) -> None:
    def told() -> list[str]:
        found = run.stage.airflow.events(DAG_ID, run.run_id, "large")
        return [one["event"] for one in found if one["event"].startswith("batchtask")]

    # The cluster shows the end first; the scheduler's loop takes it from there.
    assert eventually(lambda: "batchtask succeeded" in told(), 30)
    assert Counter(told()) == Counter(
        ["batchtask created", "batchtask submitted", "batchtask started", "batchtask succeeded"]
    )


def test_no_token_stands_in_a_resource_or_a_log(run: Run) -> None:
    logs = run.stage.home / "logs"
    texts = {file.name: file.read_text() for file in logs.glob("*.log")}
    texts["BatchTasks"] = json.dumps(run.tasks)
    for task_id in ("large", "flaky"):
        events = run.stage.airflow.events(DAG_ID, run.run_id, task_id)
        log = run.stage.airflow.task_log(DAG_ID, run.run_id, task_id)
        texts[f"events and log of {task_id}"] = json.dumps([events, log])
    texts["batch journal"] = (run.stage.home / "batch" / "journal.jsonl").read_text()

    assert {"controller.log", "scheduler.log"} <= texts.keys()
    assert [name for name, text in texts.items() if JWT.search(text)] == []


def test_the_scheduler_met_no_error_of_ours(run: Run) -> None:
    assert "Traceback" not in run.scheduler_log
