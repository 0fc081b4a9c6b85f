"""What only a database with locks and several schedulers shows."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.models.callback import Callback
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.state import CallbackState
from sqlalchemy import create_engine, insert, select, update
from sqlalchemy.orm import Session

from batchtask_api import AirflowIdentity, Phase
from batchtask_executor.following.database import DatabaseRows
from batchtask_executor.following.inquiries import Answer, Inquiries, Look, Looked
from batchtask_executor.following.rows import RowsUnavailable
from fakes.airflow_database import DAG_ID, RUN_ID, AirflowDatabase
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import StartScheduler
from integration.database.steps import SUCCESS, name_of, queued, running
from unit.executor.following import SUBMITTED, failed


def test_an_event_dropped_for_a_lock_is_told_again(
    on_postgres: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database = on_postgres
    database.write_run("load")
    scheduler = start(database)
    name = running(scheduler, cluster)
    with database.session() as session:  # the execution API, for example, holds the row
        session.execute(
            select(TaskInstance.id).where(TaskInstance.task_id == "load").with_for_update()
        )
        cluster.set_status(name, **failed())
        scheduler.loop_until(lambda: not scheduler.executor.running)
        scheduler.loop()
        assert database.state() == "running"

    scheduler.look()

    scheduler.loop_until(lambda: database.state() == "failed")
    scheduler.look()
    assert not len(scheduler.executor._table)


def test_rows_are_read_while_others_hold_them_or_change_them(
    on_postgres: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database = on_postgres
    database.write_run("load")
    scheduler = start(database)
    running(scheduler, cluster)
    with database.session() as session:
        chosen = update(TaskInstance).where(TaskInstance.task_id == "load")
        session.execute(chosen.values(state="success"))

        scheduler.look()  # it ends: nothing waits for the lock

        assert scheduler.executor.running
    cluster.set_status(name_of(database), **SUCCESS)
    scheduler.loop_until(lambda: not scheduler.executor.running)
    assert database.state() == "success"


TASKS = [f"t{number}" for number in range(6)]


def test_two_schedulers_share_a_run_and_one_takes_over_from_the_other(
    on_postgres: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database = on_postgres
    database.write_run(*TASKS)
    for task_id in TASKS[3:]:
        database.change(task_id, state=None)
    first, second = start(database), start(database)
    first.queue()
    for task_id in TASKS[3:]:
        database.change(task_id, state="scheduled")
    second.queue()
    for scheduler in (first, second):
        scheduler.loop_until(lambda: len(cluster.secrets) == len(TASKS))
    names = {task_id: name_of(database, task_id) for task_id in TASKS}
    for name in names.values():
        cluster.set_status(name, **SUBMITTED)
    _work(cluster, database, names, running="t0 t3", succeeded="t1 t4")
    for scheduler in (first, second):
        for _ in range(3):
            scheduler.look(61)
    assert len(first.executor.running) == len(second.executor.running) == 2

    first.die()
    cluster.reopen()
    _work(cluster, database, names, succeeded="t0")
    assert second.adopt() == 0
    second.loop_until(lambda: not second.executor._table.get(_id(names["t2"])).is_asked)  # type: ignore[union-attr]
    second.look()
    second.loop_until(lambda: len(second.executor.running) == 3)
    _work(cluster, database, names, running="t2 t5")
    _work(cluster, database, names, succeeded="t2 t3 t5")
    second.loop_until(lambda: not second.executor.running)

    assert {database.state(task_id) for task_id in TASKS} == {"success"}
    assert len(cluster.objects) == len(TASKS)
    assert not any(task.spec.cancel for task in cluster.objects.values())


def _id(name: str) -> str:
    return name.removeprefix("bt-")


def _work(
    cluster: FakeBatchTasks,
    database: AirflowDatabase,
    names: dict[str, str],
    *,
    running: str = "",
    succeeded: str = "",
) -> None:
    for task_id in running.split():
        cluster.set_status(names[task_id], phase=Phase.RUNNING)
        database.start(task_id)
    for task_id in succeeded.split():
        database.start(task_id)
        database.change(task_id, state="success")
        cluster.set_status(names[task_id], phase=Phase.SUCCEEDED)


def test_a_scheduler_that_was_thought_dead_leaves_its_tasks_to_the_other(
    on_postgres: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database = on_postgres
    database.write_run("load")
    first, second = start(database), start(database)
    name = queued(first, cluster)
    first.miss_heartbeats()
    assert second.adopt() == 0
    second.loop_until(lambda: second.executor.running)
    first.look()
    first.look(61)
    assert not first.executor.running

    cluster.set_status(name, **failed())
    again = name_of(database, restarts=1)
    second.loop_until(lambda: again in cluster.secrets)
    for _ in range(5):
        first.look(61)

    assert len(cluster.objects) == 2
    assert not cluster.objects[again].spec.cancel
    assert database.state() == "queued"


# -- the adapter ----------------------------------------------------------------------------------


def _key(of: AirflowIdentity) -> TaskInstanceKey:
    return TaskInstanceKey(of.dag_id, of.task_id, of.run_id, of.try_number, of.map_index)


def _place(task_id: str) -> Any:
    return (DAG_ID, task_id, RUN_ID, -1)


@pytest.mark.parametrize("bad", [("a\0b", -1), ("load", 2**70)], ids=["NUL", "number"])
def test_a_place_that_the_database_takes_no_question_about_keeps_no_other_from_its_answer(
    database: AirflowDatabase, bad: tuple[str, int]
) -> None:
    """They stand in BatchTasks, which Airflow isn't alone in making."""
    database.write_run("load")
    task_id, map_index = bad
    inquiries = Inquiries(DatabaseRows(lambda: None, _key))
    inquiries.put([Look("bad", (DAG_ID, task_id, RUN_ID, map_index)), Look("good", _place("load"))])
    answers: list[Answer] = []

    def are_there() -> bool:
        answers.extend(inquiries.drain())
        return len(answers) == 2

    inquiries.start()

    until(are_there)
    inquiries.stop()
    inquiries.join(5)
    (row,) = [each.row for each in answers if isinstance(each, Looked) and each.about == "good"]
    assert row is not None
    assert row.ti_id == str(database.of().id)


def test_the_callbacks_that_airflow_waits_for_are_those_that_are_not_over(
    database: AirflowDatabase,
) -> None:
    ids = {state: str(uuid.uuid4()) for state in CallbackState}
    with database.session() as session:
        for state, callback_id in ids.items():
            session.execute(
                insert(Callback).values(
                    id=uuid.UUID(callback_id),
                    type="executor",
                    fetch_method="import_path",
                    data={},
                    state=state,
                    priority_weight=1,
                    created_at=datetime.now(UTC),
                )
            )

    found = DatabaseRows(lambda: None, _key).awaited({*ids.values(), str(uuid.uuid4())})

    waits = (CallbackState.PENDING, CallbackState.QUEUED, CallbackState.RUNNING)
    assert found == {ids[state] for state in waits}


def test_more_rows_than_a_select_takes_are_read(database: AirflowDatabase) -> None:
    known = [f"t{number}" for number in range(12)]
    database.write_run(*known)
    database.change("t3", state="running", pid=7, external_executor_id="ARN", queued_by_job_id=9)
    places = {_place(f"t{number}") for number in range(1200)}

    found = DatabaseRows(lambda: None, _key).find(places)

    assert found.keys() == {_place(task_id) for task_id in known}
    row = found[_place("t3")]
    ti = database.of("t3")
    assert row.key == ti.key
    assert (row.ti_id, row.state, row.pid, row.queued_by) == (str(ti.id), "running", 7, 9)
    assert row.external_id == "ARN"
    assert row.has_started
    assert not found[_place("t4")].has_started


@pytest.mark.parametrize(
    "changes",
    [{"state": "running"}, {"external_executor_id": "another"}, {"external_executor_id": None}],
)
def test_a_workload_is_made_anew_only_while_it_is_queued_under_that_id(
    database: AirflowDatabase, start: StartScheduler, changes: dict[str, Any]
) -> None:
    database.write_run("load")
    scheduler = start(database)
    scheduler.queue()
    rows = DatabaseRows(lambda: scheduler.executor.jwt_generator, _key)
    external_id = database.of().external_executor_id
    made = rows.workload(_place("load"), external_id)
    assert made is not None
    assert made.ti.key == database.of().key
    assert made.ti.external_executor_id == external_id
    assert made.token

    database.change(**changes)

    assert rows.workload(_place("load"), external_id) is None
    assert rows.workload(_place("none"), external_id) is None


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    without_tables = create_engine("sqlite://")
    rows = DatabaseRows(lambda: None, _key, sessions=lambda: Session(without_tables))

    with pytest.raises(RowsUnavailable, match="can't read Airflow's task instances"):
        rows.find({_place("load")})
    with pytest.raises(RowsUnavailable):
        rows.workload(_place("load"), None)
    without_tables.dispose()
