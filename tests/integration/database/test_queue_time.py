"""How long a job may wait in its queue: Airflow's own scheduler, over a real database."""

from fakes.airflow_database import AirflowDatabase
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks
from integration.database.conftest import Begin
from integration.database.steps import events, queued, succeed


def test_a_job_that_waits_two_hours_still_runs(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, name = begin(queued)
    for minutes in range(10, 121, 10):
        scheduler.handle_stuck(minutes * 60)
        scheduler.look()
        assert database.state() == "queued"
    assert not cluster.objects[name].spec.cancel
    assert scheduler.executor.has_task(database.of())

    succeed(scheduler, cluster, name)

    assert database.state() == "success"
    assert "stuck in queued reschedule" not in [event for event, _ in events(database)]


def test_a_job_past_queued_timeout_uses_the_users_retries(
    database: AirflowDatabase, begin: Begin, cluster: FakeBatchTasks
) -> None:
    scheduler, name = begin(queued, retries=1, queued_timeout=3600)
    cluster.set_status(name, status_reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
    scheduler.look()
    assert database.state() == "queued"

    scheduler.look(3600)

    scheduler.loop_until(lambda: database.state() == "up_for_retry")
    told = [extra for event, extra in events(database) if event == "batchtask failed"]
    assert "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" in str(told)
    until(lambda: cluster.objects[name].spec.cancel)
