"""`airflow batchtask probe`, over Airflow's own execution API."""

import json
import subprocess
import sys

import pytest

from e2e.conftest import Run

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]

KWARGS = "AIRFLOW__BATCHTASK_EXECUTOR__SUBMIT_JOB_KWARGS"


def probed(run: Run, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "airflow", "batchtask", "probe", "--wait", "120"],
        env={**run.stage.airflow.environment(), **more},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_probe_reaches_airflows_execution_api(run: Run) -> None:
    done = probed(run)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "a job reached Airflow's execution API"


def test_the_probe_says_what_is_wrong(run: Run) -> None:
    without_path = {
        "name": "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
        "value": run.stage.airflow.url,
    }

    done = probed(
        run, **{KWARGS: json.dumps({"containerOverrides": {"environment": [without_path]}})}
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("WRONG: path: /health is not")
