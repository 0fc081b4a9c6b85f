"""A late end of an earlier job: Airflow's own scheduler, over a real database."""

from typing import Any

import pytest

from fakes.airflow_database import AirflowDatabase
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import Begin
from integration.database.steps import SUCCESS, EndStatus, is_settled, queued, running, succeed
from unit.executor.following import failed

REQUEUINGS: list[list[dict[str, Any]]] = [
    [{"state": "deferred"}, {"state": "scheduled", "next_method": "execute_complete"}],
    [{"state": "up_for_reschedule"}, {"state": "scheduled"}],
    [{"state": "scheduled", "queued_dttm": None, "queued_by_job_id": None}],
]


@pytest.mark.parametrize("end", [SUCCESS, failed()])
def test_airflow_fails_a_good_task_when_it_is_told_late(
    database: AirflowDatabase, begin: Begin, end: EndStatus
) -> None:
    """What the other tests here rest on: Airflow itself doesn't tell a late word from a new one."""
    scheduler, _ = begin(running)
    database.change(state="scheduled")

    word = scheduler.executor.success if end is SUCCESS else scheduler.executor.fail
    word(database.of().key)
    scheduler.loop()

    assert database.state() == "failed"


@pytest.mark.parametrize("end", [SUCCESS, failed()])
@pytest.mark.parametrize("steps", REQUEUINGS, ids=["deferred", "rescheduled", "requeued"])
def test_a_late_end_of_an_earlier_job_changes_nothing_before_it_is_queued_again(
    database: AirflowDatabase,
    begin: Begin,
    cluster: FakeBatchTasks,
    steps: list[dict[str, Any]],
    end: EndStatus,
) -> None:
    scheduler, name = begin(running)
    for step in steps:
        database.change(**step)

    cluster.set_status(name, **end)

    is_settled(scheduler)
    assert database.state() == "scheduled"
    assert not scheduler.executor.running


@pytest.mark.parametrize("end", [SUCCESS, failed()])
@pytest.mark.parametrize("steps", REQUEUINGS, ids=["deferred", "rescheduled", "requeued"])
def test_a_late_end_of_an_earlier_job_changes_nothing_after_it_was_queued_again(
    database: AirflowDatabase,
    begin: Begin,
    cluster: FakeBatchTasks,
    steps: list[dict[str, Any]],
    end: EndStatus,
) -> None:
    scheduler, first = begin(running)
    for step in steps:
        database.change(**step)
    second = queued(scheduler, cluster)
    assert first != second

    cluster.set_status(first, **end)

    is_settled(scheduler, entries=1)
    assert database.state() == "queued"
    assert not cluster.objects[second].spec.cancel
    succeed(scheduler, cluster, second)
    assert database.state() == "success"
