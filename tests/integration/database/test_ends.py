"""Ends that Airflow waits for, and tasks that it waits for no more, over a real database."""

import json

import jwt
import pytest

from batchtask_api import Phase
from fakes.airflow_database import AirflowDatabase
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import Begin
from integration.database.steps import clear, events, name_of, queued, running
from unit.executor.following import failed


@pytest.mark.parametrize(("retries", "state"), [(0, "failed"), (1, "up_for_retry")])
def test_a_job_that_failed_under_its_task_fails_it_with_awss_reason(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks, retries: int, state: str
) -> None:
    scheduler, name = begin(running, retries=retries)

    cluster.set_status(name, **failed())
    scheduler.loop_until(lambda: database.state() == state)

    told = [extra for event, extra in events(database) if event == "state mismatch"]
    assert "Host EC2 (i-1) terminated" in str(told)
    scheduler.look()
    assert not len(scheduler.executor._table)


def test_a_job_that_failed_before_the_start_costs_no_retry(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, _ = begin(queued, retries=1)
    before = database.of()
    for number in range(3):
        cluster.set_status(name_of(database, restarts=number), **failed())
        scheduler.loop_until(
            lambda number=number: name_of(database, restarts=number + 1) in cluster.secrets
        )
        now = database.of()
        assert (now.id, now.state, now.try_number) == (before.id, "queued", 1)
        assert now.external_executor_id == before.external_executor_id

    content = cluster.secrets[name_of(database, restarts=3)].content.get_secret_value()
    workload = json.loads(content)
    claims = jwt.decode(workload["token"], options={"verify_signature": False})
    assert workload["ti"]["id"] == claims["sub"] == str(before.id)
    assert claims["scope"] == "workload"
    assert workload["dag_rel_path"] is not None
    assert workload["bundle_info"]["name"] == "dags-folder"

    cluster.set_status(name_of(database, restarts=3), **failed())
    scheduler.loop_until(lambda: database.state() == "up_for_retry")


def test_a_task_cleared_while_it_runs_is_run_again(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, name = begin(running)
    clear(database)
    assert database.state() == "restarting"
    scheduler.look()
    assert not cluster.objects[name].spec.cancel

    cluster.set_status(name, phase=Phase.SUCCEEDED)

    scheduler.loop_until(lambda: database.state() is None)


def test_a_task_cleared_while_it_waits_has_its_job_cancelled(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, name = begin(queued)
    clear(database)
    assert database.of().external_executor_id is None

    scheduler.look()

    until(lambda: cluster.objects[name].spec.cancel)
    assert not scheduler.executor.running
    assert database.state() is None


def test_a_task_marked_failed_while_it_waits_has_its_job_cancelled(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, name = begin(queued)
    with database.session() as session:
        session.merge(database.of()).set_state("failed", session=session)

    scheduler.look()

    until(lambda: cluster.objects[name].spec.cancel)
    assert database.state() == "failed"
