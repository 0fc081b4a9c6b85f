"""One run of the example DAG over everything, looked at by all tests here."""

import io
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from batchtask_local.demo.expected import DAG_ID
from batchtask_local.demo.progress import Show
from batchtask_local.demo.run import follow, settle
from batchtask_local.demo.stage import DAGS, Play, Stage, stage
from e2e.tasks import batchtasks

LATE = Path(__file__).with_name("late")
LATE_IDS = ("late_and_told", "late_and_failing")


@dataclass(frozen=True)
class Run:
    """A finished run of the example DAG, with everything that ran it still up."""

    stage: Stage
    run_id: str
    state: str
    instances: dict[tuple[str, int], dict[str, Any]]
    tasks: list[dict[str, Any]]
    """The BatchTasks, as the API server has them."""
    submits: Counter[str]
    """How many SubmitJob calls there were of each job name."""
    scheduler_log: str
    late: Path
    """What the callback of a missed deadline writes."""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    home: Path = tmp_path_factory.mktemp("stage")
    dags, late = home / "dags", home / "late"
    shutil.copytree(DAGS, dags / "demo")
    shutil.copytree(LATE, dags / "late")
    play = Play(dags=dags, dag_ids=frozenset({DAG_ID, *LATE_IDS}), shared={"LATE": str(late)})
    show = Show(Console(file=io.StringIO()))
    with stage("envtest", None, home / "home", show, play) as running:
        run_id, state = follow(running, show)
        settle(running)
        listed = running.airflow.task_instances(DAG_ID, run_id)
        yield Run(
            running,
            run_id,
            state,
            {(one["task_id"], one["map_index"]): one for one in listed},
            batchtasks(running),
            Counter(str(entry.job_name) for entry in running.batch.journal("SubmitJob")),
            running.processes.log("scheduler").read_text(),
            late,
        )
