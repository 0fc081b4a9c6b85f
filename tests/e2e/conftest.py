"""One run of the example DAG over everything, looked at by all tests here."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from batchtask_local.demo.expected import DAG_ID
from batchtask_local.demo.progress import Show
from batchtask_local.demo.run import follow, settle
from batchtask_local.demo.stage import Stage, stage


@dataclass(frozen=True)
class Run:
    """A finished run of the example DAG, with everything that ran it still up."""

    stage: Stage
    run_id: str
    state: str
    instances: dict[tuple[str, int], dict[str, Any]]
    tasks: list[dict[str, Any]]
    """The BatchTasks, as the API server has them."""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    home: Path = tmp_path_factory.mktemp("stage") / "home"
    show = Show(Console(file=io.StringIO()))
    with stage("envtest", None, home, show) as running:
        run_id, state = follow(running, show)
        settle(running)
        listed = running.airflow.task_instances(DAG_ID, run_id)
        server = running.cluster.server
        assert server is not None
        path = "/apis/batchtask.dev/v1alpha1/namespaces/airflow-tasks/batchtasks"
        yield Run(
            running,
            run_id,
            state,
            {(one["task_id"], one["map_index"]): one for one in listed},
            server.request("GET", path)["items"],
        )
