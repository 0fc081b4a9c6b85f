"""Airflow's REST API as the stage uses it."""

from pathlib import Path

import pytest

from batchtask_local.demo.airflow import Airflow, AirflowError
from fakes.http_server import Reply, ScriptedServer

LOGIN = Reply(body={"access_token": "token"})
LOCKED = Reply(500, {"detail": {"reason": "Database error"}})
RUN = Reply(body={"dag_run_id": "run"})


def an_airflow(server: ScriptedServer) -> Airflow:
    return Airflow(Path("home"), int(server.url.rpartition(":")[2]), Path("dags"), {})


def test_an_action_that_met_a_locked_database_is_done_again() -> None:
    with ScriptedServer(LOGIN, LOCKED, LOGIN, RUN) as server:
        assert an_airflow(server).trigger("dag", run_id="run") == "run"


def test_a_database_that_stays_locked_is_an_error() -> None:
    with ScriptedServer(*[LOGIN, LOCKED] * 4) as server:
        with pytest.raises(AirflowError, match="POST /api/v2/dags/dag/dagRuns: 500"):
            an_airflow(server).trigger("dag")

        assert server.replies == []


def test_a_refusal_is_an_error_at_once() -> None:
    refused = Reply(404, {"detail": "The Dag with ID dag was not found"})
    with (
        ScriptedServer(LOGIN, refused) as server,
        pytest.raises(AirflowError, match=r"404 .* was not found"),
    ):
        an_airflow(server).trigger("dag")


def test_a_list_is_read_to_its_last_page() -> None:
    pages = [[{"dag_id": f"dag-{number}"} for number in range(count)] for count in (50, 3)]
    replies = [reply for page in pages for reply in (LOGIN, Reply(body={"dag_runs": page}))]
    with ScriptedServer(*replies) as server:
        found = an_airflow(server).runs()

        asked = [each.query["offset"] for each in server.requests if "limit" in each.query]

    assert len(found) == 53
    assert asked == ["0", "50"]


def test_a_runs_id_is_quoted_in_its_path() -> None:
    with ScriptedServer(LOGIN, Reply(body={"task_instances": []})) as server:
        assert an_airflow(server).task_instances("dag", "manual__2026-01-01T00:00:00+00:00") == []

        path = server.requests[-1].path

    assert path.endswith("/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00/taskInstances")
