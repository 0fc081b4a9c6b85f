"""Teams whose default is this executor, behind another default of all, on a real Airflow."""

import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from batchtask_local.demo.airflow import EXECUTOR
from batchtask_local.demo.progress import Show
from batchtask_local.demo.run import settle
from batchtask_local.demo.stage import DEFINITION, SHELL_DEFINITION, Play, stage
from e2e.tasks import batchtasks, jobs_of
from e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]

DAGS = Path(__file__).with_name("teams")
DAG_IDS = frozenset({"of_no_team", "of_red", "of_blue"})
BUNDLES = {"common": None, "red": "red", "blue": "blue"}
"""The teams of the folders."""

_END_SECONDS = 120

Instance = tuple[str, str]
"""DAG id and task id."""


@dataclass(frozen=True)
class Ended:
    """What came of a run of each DAG."""

    states: Mapping[Instance, str]
    jobs: Mapping[Instance, Sequence[int]]
    """How many jobs there were of each of its BatchTasks."""
    asked: Mapping[Instance, Mapping[str, Any]]
    """What the last of its BatchTasks asks of AWS Batch."""
    log: str
    """The scheduler's."""


def _play() -> Play:
    bundles = [
        {
            "name": folder,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(DAGS / folder)},
            "team_name": team,
        }
        for folder, team in BUNDLES.items()
    ]
    return Play(
        dags=DAGS / "common",
        dag_ids=DAG_IDS,
        executor=f"LocalExecutor;red={EXECUTOR};blue={EXECUTOR}",
        options={"AIRFLOW__CORE__MULTI_TEAM": "True"},  # the jobs have it from the executor
        shared={"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles)},
        teams={
            "red": {"JOB_DEFINITION": SHELL_DEFINITION},
            "blue": {"SUBMIT_JOB_KWARGS": json.dumps({"tags": {"team": "blue"}})},
        },
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    show = Show(Console(file=io.StringIO()))
    home = tmp_path_factory.mktemp("teams") / "home"
    with stage("envtest", None, home, show, _play()) as running:
        airflow = running.airflow
        for dag_id in DAG_IDS:
            airflow.trigger(dag_id)
        airflow.unpause()
        is_over = eventually(
            lambda: all(one["state"] in {"success", "failed"} for one in airflow.runs()),
            _END_SECONDS,
        )
        assert is_over, running.cluster.table()
        settle(running)
        states = {
            (one["dag_id"], each["task_id"]): each["state"]
            for one in airflow.runs()
            for each in airflow.task_instances(one["dag_id"], one["dag_run_id"])
        }
        jobs: dict[Instance, list[int]] = {}
        asked = {}
        for task in batchtasks(running):
            instance = task["spec"]["airflow"]["dagId"], task["spec"]["airflow"]["taskId"]
            jobs.setdefault(instance, []).append(len(jobs_of(running, task)))
            asked[instance] = task["spec"]["job"]
        log = running.processes.log("scheduler").read_text()
        return Ended(states, jobs, asked, log)


def test_every_task_succeeds(ended: Ended) -> None:
    assert set(ended.states.values()) == {"success"}
    assert Counter(dag_id for dag_id, _ in ended.states) == Counter(
        of_no_team=1, of_red=2, of_blue=1
    )


def test_each_queuing_of_a_teams_task_has_one_job_and_no_others_have_any(ended: Ended) -> None:
    assert ended.jobs == {
        ("of_red", "once"): [1],
        ("of_red", "twice"): [1, 1],
        ("of_blue", "once"): [1],
    }


def test_airflow_itself_gave_these_tasks_no_ids(ended: Ended) -> None:
    """What makes the one before worth asking: each id is the executor's own, told to Airflow."""
    told = re.findall(r"Setting external_executor_id for <TaskInstance: (\S+)", ended.log)

    assert Counter(told) == {"of_red.once": 1, "of_red.twice": 2, "of_blue.once": 1}


def test_each_teams_configuration_is_its_own(ended: Ended) -> None:
    asked = {
        dag_id: (job["jobDefinition"], job.get("tags"))
        for (dag_id, task_id), job in ended.asked.items()
        if task_id == "once"
    }

    assert asked == {
        "of_red": (SHELL_DEFINITION, None),
        "of_blue": (DEFINITION, {"team": "blue"}),
    }


def test_the_scheduler_met_no_error_of_ours(ended: Ended) -> None:
    errors = [line for line in ended.log.splitlines() if "[error" in line and "batchtask" in line]

    assert errors == []
    assert "Traceback" not in ended.log
