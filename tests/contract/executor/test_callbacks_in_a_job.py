"""What a job's process makes of a callback: its exit code, and what its output says of it."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from batchtask_controller.log_tails import trimmed
from batchtask_controller.request import COMMAND
from batchtask_executor.following.raised import raised
from batchtask_executor.jobs.tokens import minted
from batchtask_executor.jobs.workload import Facts
from fakes.airflow import ENVIRONMENT, execute_callback
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks

CALLBACKS = """
from pathlib import Path

def tell(where):
    Path(where).write_text("told")

def fail(where):
    raise RuntimeError("no")
"""


def run(tmp_path: Path, function: str) -> subprocess.CompletedProcess[str]:
    """Run the command of a job with the workload of a callback, as the Secret would hold it."""
    (tmp_path / "callbacks.py").write_text(CALLBACKS)
    workload = execute_callback(
        "4d828a62-a417-4936-a7a6-2b3fabacecab",
        path=f"callbacks.{function}",
        kwargs={"where": str(tmp_path / "told")},
    )
    idle = ExecutorOver(FakeBatchTasks())
    subject, hour = Facts.of(workload).subject, timedelta(hours=1)
    content = minted(workload, subject, lambda: idle.jwt_generator, hour).content
    return subprocess.run(
        [sys.executable, *COMMAND[1:], content.get_secret_value()],
        env=os.environ
        | ENVIRONMENT
        | {
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:9/execution/",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_it_is_called_where_the_executor_says_that_it_takes_callbacks(tmp_path: Path) -> None:
    ended = run(tmp_path, "tell")

    taken = ExecutorOver(FakeBatchTasks()).supports_callbacks
    assert (ended.returncode == 0) == taken, ended.stdout + ended.stderr
    assert (tmp_path / "told").exists() == taken


@pytest.mark.parametrize(
    ("function", "why"),
    [("fail", "RuntimeError: no"), ("not_there", "AttributeError: module 'callbacks' has no")],
)
def test_one_that_raises_fails_its_job_and_is_told(tmp_path: Path, function: str, why: str) -> None:
    ended = run(tmp_path, function)

    assert ended.returncode == 1
    told = raised(trimmed((ended.stdout + ended.stderr).splitlines()) or ())
    taken = ExecutorOver(FakeBatchTasks()).supports_callbacks
    assert (told is not None and why in told) == taken, ended.stdout + ended.stderr
