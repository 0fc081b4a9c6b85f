"""A scheduler that takes over from one that died, over a real database."""

import pytest

from batchtask_api import Phase
from fakes.airflow_database import AirflowDatabase
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import Begin, StartScheduler
from integration.database.steps import (
    SUCCESS,
    EndStatus,
    a_local_executor,
    is_settled,
    name_of,
    run_on,
    running,
)
from unit.executor.following import SUBMITTED, failed


def test_a_queued_task_is_adopted_before_its_task_was_created(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load")
    first = start(database)
    first.enqueue()
    first.die()  # before its heartbeat
    before = database.of()

    heir = start(database)
    assert heir.adopt() == 0

    name = name_of(database)
    heir.loop_until(lambda: name in cluster.secrets)
    after = database.of()
    assert (after.id, after.try_number, after.state) == (before.id, 1, "queued")
    assert after.queued_by_job_id == heir.job.id
    cluster.set_status(name, **SUBMITTED)
    run_on(heir, cluster, name)
    cluster.set_status(name, **failed())
    heir.loop_until(lambda: database.state() == "failed")
    assert len(cluster.objects) == 1


@pytest.mark.parametrize("meanwhile", [{}, {"phase": Phase.RUNNING}, SUCCESS, failed()])
def test_a_running_task_is_adopted_whatever_became_of_it(
    database: AirflowDatabase,
    begin: Begin,
    start: StartScheduler,
    cluster: FakeBatchTasks,
    meanwhile: EndStatus,
) -> None:
    first, name = begin(running)
    first.die()
    cluster.set_status(name, **meanwhile)
    if meanwhile == SUCCESS:
        database.change(state="success")

    heir = start(database)
    assert heir.adopt() == 0

    if meanwhile in (SUCCESS, failed()):
        expected = "success" if meanwhile == SUCCESS else "failed"
        heir.loop_until(lambda: database.state() == expected)
    else:
        heir.loop_until(lambda: heir.executor.running)
        database.change(state="success")
        cluster.set_status(name, **SUCCESS)
    heir.look()
    is_settled(heir)
    assert not heir.executor.running
    assert len(cluster.objects) == 1


def test_a_task_without_an_id_is_reset_and_its_job_is_cancelled(
    database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks
) -> None:
    database.write_run("load", executor="BatchTaskExecutor")
    first = start(database, a_local_executor())
    first.enqueue()
    assert database.of().external_executor_id is None
    first.executor.heartbeat()
    until(lambda: cluster.secrets)
    (orphan,) = cluster.secrets
    cluster.set_status(orphan, **SUBMITTED)
    first.die()

    heir = start(database, a_local_executor())
    assert heir.adopt() == 1

    def is_cancelled() -> bool:
        heir.executor.pass_time(61)
        return cluster.objects[orphan].spec.cancel

    heir.loop_until(is_cancelled)
    assert not heir.executor.running
