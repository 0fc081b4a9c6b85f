"""A missed deadline's callbacks on a real Airflow: each is a BatchTask, and a job, of its own."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import pytest

from batchtask_local.demo.stage import Stage
from e2e.conftest import LATE_IDS, Run
from e2e.database import rows
from e2e.tasks import batchtasks, jobs_of
from e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.envtest]

ARE_RUN = not version("apache-airflow-core").startswith("3.2.")
"""Airflow 3.2 can run no callback in a job."""

ENDED = frozenset({"success", "failed"})

_SECONDS = 120


@dataclass(frozen=True)
class Late:
    """A run that missed its deadline, and what came of the callback."""

    run_id: str
    state: str
    callback: str
    """The callback's state."""
    output: str
    jobs: int
    """How many jobs there were of the callback's BatchTask."""


@pytest.fixture(scope="module")
def late(run: Run) -> Mapping[str, Late]:
    """By their DAGs."""
    airflow = run.stage.airflow
    runs = {}
    for dag_id in LATE_IDS:
        runs[dag_id] = airflow.trigger(dag_id)
        # Where two deadlines pass at once, Airflow 3.2 hands over one callback and keeps the other.
        assert eventually(partial(_has_called, run.stage, dag_id), _SECONDS)
    assert eventually(lambda: _are_over(run.stage, runs), _SECONDS), run.stage.cluster.table()
    return {dag_id: _late(run.stage, dag_id, run_id) for dag_id, run_id in runs.items()}


def _callbacks(stage: Stage, dag_id: str) -> list[tuple[str, str, str | None]]:
    return rows(
        stage.airflow,
        "SELECT callback.id, callback.state, callback.output FROM callback"
        " JOIN deadline ON deadline.callback_id = callback.id"
        " JOIN dag_run ON deadline.dagrun_id = dag_run.id WHERE dag_run.dag_id = ?",
        dag_id,
    )


def _has_called(stage: Stage, dag_id: str) -> bool:
    return any(state in {"queued", *ENDED} for _, state, _ in _callbacks(stage, dag_id))


def _are_over(stage: Stage, runs: Mapping[str, str]) -> bool:
    states = {stage.airflow.run_state(dag_id, run_id) for dag_id, run_id in runs.items()}
    callbacks = {state for dag_id in runs for _, state, _ in _callbacks(stage, dag_id)}
    return states | callbacks <= ENDED


def _late(stage: Stage, dag_id: str, run_id: str) -> Late:
    ((id_, state, output),) = _callbacks(stage, dag_id)
    name = f"bt-cb-{uuid.UUID(id_)}"
    tasks = [task for task in batchtasks(stage) if task["metadata"]["name"] == name]
    jobs = sum(len(jobs_of(stage, task)) for task in tasks)
    return Late(run_id, stage.airflow.run_state(dag_id, run_id), state, output or "", jobs)


def test_a_run_goes_on_past_its_deadline(late: Mapping[str, Late]) -> None:
    assert {dag_id: of.state for dag_id, of in late.items()} == dict.fromkeys(LATE_IDS, "success")


def test_a_callback_runs_in_a_job_and_is_told_of_the_run(
    late: Mapping[str, Late], run: Run
) -> None:
    of = late["late_and_told"]

    told = run.late.read_text() if run.late.exists() else None
    ended = (of.callback, of.jobs, told)
    assert ended == (("success", 1, of.run_id) if ARE_RUN else ("failed", 0, None))


def test_a_callback_that_raises_fails_with_what_it_raised(late: Mapping[str, Late]) -> None:
    of = late["late_and_failing"]

    assert (of.callback, of.jobs) == ("failed", 1 if ARE_RUN else 0)
    if ARE_RUN:
        assert "RuntimeError: the pager doesn't answer" in of.output
        assert "exit code 1" in of.output
    else:
        assert "Airflow 3.2 can't run an ExecuteCallback in a job" in of.output
