"""A callback's way: it has no task instance, no executor_config, and nobody adopts it."""

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from airflow.models.callback import CallbackKey

from batchtask_api import Phase, names
from batchtask_executor.cluster.tasks import Refused, Unavailable
from fakes.airflow import execute_callback
from fakes.airflow_bases import ExecutorOn34
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks
from unit.executor.following import settle

ID = "4d828a62-a417-4936-a7a6-2b3fabacecab"
NAME = f"bt-cb-{ID}"
KEY = CallbackKey(ID)


@pytest.fixture(params=[ExecutorOver, ExecutorOn34])
def executor(
    request: pytest.FixtureRequest, configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> Iterator[ExecutorOver]:
    del configured
    executor: ExecutorOver = request.param(cluster, parallelism=5)
    executor.start()
    yield executor
    executor.end()
    executor.wait_for_the_end()


def queue(executor: ExecutorOver, **data: Any) -> None:
    """Queue it as the scheduler does."""
    executor.rows.callbacks[ID] = "queued"
    executor.queue_workload(execute_callback(ID, **data), None)  # type: ignore[arg-type]


def written(executor: ExecutorOver, cluster: FakeBatchTasks, **data: Any) -> None:
    queue(executor, **data)
    executor.loop_until(lambda: NAME in cluster.secrets)


def test_it_becomes_a_task_named_by_its_id(executor: ExecutorOver, cluster: FakeBatchTasks) -> None:
    written(executor, cluster, dag_id="etl")

    task = cluster.objects[NAME]
    assert task.spec.job == {"jobQueue": "analytics", "jobDefinition": "worker:7"}
    assert task.spec.airflow is None
    assert task.spec.ttl_seconds_after_finished == 86400
    assert task.metadata.labels == {
        names.LABEL_INSTANCE: "airflow",
        names.LABEL_WORKLOAD: "callback",
        names.LABEL_DAG_ID: "etl",
    }
    assert KEY in executor.running
    assert executor.slots_available == 4


def test_its_secret_holds_the_workload_with_a_token_of_its_own(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    written(executor, cluster)

    content = json.loads(cluster.secrets[NAME].content.get_secret_value())
    claims = jwt.decode(content["token"], options={"verify_signature": False})
    assert (claims["sub"], claims["scope"]) == (ID, "workload")
    assert claims["exp"] - claims["iat"] == 86400
    assert (content["type"], content["callback"]["id"]) == ("ExecuteCallback", ID)


def test_it_goes_before_every_task(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> None:
    executor = ExecutorOver(cluster, parallelism=1)
    executor.start()
    executor.queue(priority_weight=1000)
    queue(executor)

    executor.loop()

    assert executor.running == {KEY}
    executor.end()
    executor.wait_for_the_end()


def test_the_queue_that_it_names_is_its_jobs(
    configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> None:
    for name, value in options(queues={"small": {"job_queue": "small-queue"}}).items():
        configured.setenv(name, value)
    executor = ExecutorOver(cluster)
    executor.start()

    written(executor, cluster, queue="small")

    assert cluster.objects[NAME].spec.job["jobQueue"] == "small-queue"
    executor.end()
    executor.wait_for_the_end()


@pytest.mark.parametrize(
    ("phase", "state"), [(Phase.SUCCEEDED, "success"), (Phase.FAILED, "failed")]
)
def test_its_jobs_end_is_its_end(
    executor: ExecutorOver, cluster: FakeBatchTasks, phase: Phase, state: str
) -> None:
    written(executor, cluster)

    cluster.set_status(NAME, phase=phase, job_id="1a2b", status_reason="Host EC2 terminated")

    found, info = executor.loop_until_event(KEY)
    assert found == state
    assert "1a2b" in info
    assert "Host EC2 terminated" in info
    assert not executor.running


def test_one_that_raised_fails_with_what_it_raised(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    written(executor, cluster)
    said = json.dumps({"event": "Callback failed", "error": "RuntimeError: no"})

    cluster.set_status(NAME, phase=Phase.FAILED, job_id="1a2b", log_tail=(said,))

    state, info = executor.loop_until_event(KEY)
    assert state == "failed"
    assert info.startswith(f"RuntimeError: no. BatchTask airflow-tasks/{NAME} Failed: ")


def test_one_that_is_refused_fails_with_the_reason(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cluster.fail_next["create"] = [Refused("spec.job.jobQueue: too long")]
    queue(executor)

    assert executor.loop_until_event(KEY) == ("failed", "spec.job.jobQueue: too long")


def test_without_usable_options_it_fails_and_stops_nothing(
    configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> None:
    for name, value in options(queues="{").items():
        configured.setenv(name, value)
    executor = ExecutorOver(cluster)
    executor.start()
    queue(executor)

    state, info = executor.loop_until_event(KEY)

    assert state == "failed"
    assert "[batchtask_executor] queues" in info


def test_one_queued_again_by_the_next_scheduler_is_one_task(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    written(executor, cluster)
    uid = cluster.objects[NAME].metadata.uid
    executor.end()
    executor.wait_for_the_end()
    cluster._is_closed = False
    heir = type(executor)(cluster, rows=executor.rows)
    heir.start()

    queue(heir)
    heir.loop_until(lambda: not heir._parts.writer._open)  # type: ignore[union-attr]
    cluster.set_status(NAME, phase=Phase.SUCCEEDED)

    assert heir.loop_until_event(KEY)[0] == "success"
    assert [task.metadata.uid for task in cluster.objects.values()] == [uid]
    heir.end()
    heir.wait_for_the_end()


def test_one_queued_again_after_its_end_is_over_at_once(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    written(executor, cluster)
    cluster.set_status(NAME, phase=Phase.SUCCEEDED)
    executor.loop_until_event(KEY)

    queue(executor)

    assert executor.loop_until_event(KEY)[0] == "success"
    assert not executor.running
    assert len(cluster.objects) == 1


@pytest.fixture
def cut_off(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    """An executor that wrote one, whose task was deleted before any list showed it."""
    del configured
    cluster.fail_next["list"] = [Unavailable("no answer")] * 100_000
    executor = ExecutorOver(cluster)
    executor.start()
    written(executor, cluster)
    settle(executor)
    cluster.lose(NAME)
    yield executor
    executor.end()
    executor.wait_for_the_end()


def test_one_whose_task_no_list_ever_showed_fails(
    cut_off: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cluster.fail_next.clear()

    state, info = cut_off.loop_until_event(KEY)
    assert (state, "was deleted" in info) == ("failed", True)


def test_one_that_another_scheduler_told_of_is_not_failed_for_want_of_its_task(
    cut_off: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    cut_off.rows.callbacks[ID] = "success"

    cluster.fail_next.clear()

    assert not cut_off.loop_until(lambda: not cut_off.running)
    assert cut_off.rows.callbacks[ID] == "success"


@pytest.mark.parametrize("ends_meanwhile", [True, False])
def test_the_next_scheduler_reports_the_end_of_one_that_it_did_not_queue(
    executor: ExecutorOver, cluster: FakeBatchTasks, ends_meanwhile: bool
) -> None:
    written(executor, cluster)
    executor.end()
    executor.wait_for_the_end()
    cluster._is_closed = False
    heir = type(executor)(cluster, rows=executor.rows)
    if ends_meanwhile:
        cluster.set_status(NAME, phase=Phase.FAILED, exit_code=1)
    heir.start()
    if not ends_meanwhile:
        assert not heir.loop_until(lambda: heir._parts.cache.get(NAME))  # type: ignore[union-attr]
        cluster.set_status(NAME, phase=Phase.FAILED, exit_code=1)

    state, info = heir.loop_until_event(KEY)

    assert (state, "exit code 1" in info) == ("failed", True)
    heir.end()
    heir.wait_for_the_end()


@pytest.fixture
def heir(executor: ExecutorOver, cluster: FakeBatchTasks) -> Iterator[ExecutorOver]:
    """The next scheduler's executor; start it once the first has ended."""
    heir = type(executor)(cluster, rows=executor.rows, parallelism=5)
    yield heir
    heir.end()
    heir.wait_for_the_end()


def take_over(executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver) -> None:
    executor.end()
    executor.wait_for_the_end()
    cluster.reopen()
    heir.start()


def test_an_end_that_was_told_is_not_told_again_by_the_next_scheduler(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    written(executor, cluster)
    cluster.set_status(NAME, phase=Phase.FAILED)
    executor.loop_until_event(KEY)

    take_over(executor, cluster, heir)

    assert not heir.loop_until(lambda: heir.rows.requests["awaited"])
    assert not heir.loop_until(lambda: not heir._parts.tracker._errands._doubts)  # type: ignore[union-attr]
    assert heir.rows.callbacks[ID] == "failed"


def test_an_end_that_was_told_is_not_told_again_when_its_task_is_deleted(
    executor: ExecutorOver, cluster: FakeBatchTasks
) -> None:
    written(executor, cluster)
    cluster.set_status(NAME, phase=Phase.SUCCEEDED)
    executor.loop_until_event(KEY)

    cluster.delete(NAME)
    cluster.release(NAME)

    assert not executor.loop_until(lambda: executor.rows.requests["awaited"])
    assert not executor.loop_until(lambda: not executor._parts.tracker._errands._doubts)  # type: ignore[union-attr]


def test_where_airflows_callbacks_cannot_be_read_an_end_is_told(
    executor: ExecutorOver, cluster: FakeBatchTasks, heir: ExecutorOver
) -> None:
    def broken(callbacks: Any) -> Any:
        raise RuntimeError(f"no table for {callbacks}")

    written(executor, cluster)
    heir.rows.awaited = broken  # type: ignore[method-assign]
    take_over(executor, cluster, heir)

    cluster.set_status(NAME, phase=Phase.SUCCEEDED)

    assert heir.loop_until_event(KEY)[0] == "success"


def test_the_scheduler_is_told_that_callbacks_are_taken(cluster: FakeBatchTasks) -> None:
    assert ExecutorOver(cluster).supports_callbacks
