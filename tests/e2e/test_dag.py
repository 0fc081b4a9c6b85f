"""An Airflow DAG on local Batch: Airflow, executor, API server and controller are real."""

import json
import re
from collections import Counter

import pytest

from batchtask_local.demo.expected import JOBS, STATES
from e2e.conftest import Run

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]

JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")


def test_every_task_comes_to_the_state_that_it_should(run: Run) -> None:
    assert run.state == "success"
    assert {key: one["state"] for key, one in run.instances.items()} == dict(STATES)


def test_an_attempt_costs_one_job_and_one_submit(run: Run) -> None:
    submits = Counter(entry.job_name for entry in run.stage.batch.journal("SubmitJob"))

    assert len(submits) == JOBS
    assert set(submits.values()) == {1}


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


def test_no_token_stands_in_a_resource_or_a_log(run: Run) -> None:
    logs = run.stage.home / "logs"
    texts = {file.name: file.read_text() for file in logs.glob("*.log")}
    texts["BatchTasks"] = json.dumps(run.tasks)
    texts["batch journal"] = (run.stage.home / "batch" / "journal.jsonl").read_text()

    assert {"controller.log", "scheduler.log"} <= texts.keys()
    assert [name for name, text in texts.items() if JWT.search(text)] == []


def test_the_scheduler_met_no_error_of_ours(run: Run) -> None:
    log = (run.stage.home / "logs" / "scheduler.log").read_text()

    assert "Traceback" not in log
