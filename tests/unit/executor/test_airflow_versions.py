"""What each Airflow served sees of the executor; other tests run on the one that is installed."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.executors.workloads import ExecuteCallback

from batchtask_api import Phase
from batchtask_executor.airflow_versions import in_order
from batchtask_executor.cluster.manifest import task_name
from fakes.airflow import execute_callback
from fakes.airflow_bases import VERSIONS, Base34, ExecutorOn32, ExecutorOn34, key_of, of_keys
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks

Start = Callable[..., Any]


@pytest.fixture
def start(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[Start]:
    started: list[ExecutorOver] = []

    def start(kind: type[ExecutorOver], **of: Any) -> ExecutorOver:
        executor = kind(cluster, **({"parallelism": 100} | of))
        executor.start()
        started.append(executor)
        return executor

    yield start
    for executor in started:
        executor.end()
        executor.wait_for_the_end()


@pytest.fixture(params=list(VERSIONS.values()), ids=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> type[ExecutorOver]:
    found: type[ExecutorOver] = request.param
    return found


def name_of(workload: Any) -> str:
    return task_name(workload.ti.external_executor_id)


def test_the_highest_priority_goes_first(start: Start, version: type[ExecutorOver]) -> None:
    executor = start(version, parallelism=2)
    weights = [1, 9, 5, -3]
    workloads = [
        executor.queue(task_id=f"t{w}", id=uuid.uuid4(), priority_weight=w) for w in weights
    ]

    executor.loop()

    assert executor.running == of_keys(executor, workloads[1:3])


def test_equal_priorities_go_as_they_came(start: Start, version: type[ExecutorOver]) -> None:
    executor = start(version)
    workloads = [executor.queue(task_id=f"t{n}", id=uuid.uuid4()) for n in range(5)]

    assert [workload for _, workload in in_order(executor)] == workloads


def test_no_more_go_than_there_is_room_for(start: Start, version: type[ExecutorOver]) -> None:
    executor = start(version, parallelism=1)
    executor.running |= {"an", "adopted", "crowd"}
    executor.queue()

    executor.loop()

    assert executor.slots_available == 1 - 3 - 1


def test_a_task_goes_its_way(
    start: Start, cluster: FakeBatchTasks, version: type[ExecutorOver]
) -> None:
    executor = start(version)
    workload = executor.queue()
    executor.loop_until(lambda: name_of(workload) in cluster.secrets)
    assert executor.has_task(workload.ti)

    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED, job_id="1a2b")

    state, info = executor.loop_until_event(key_of(executor, workload))
    assert (state, "1a2b" in info) == ("success", True)
    assert not executor.has_task(workload.ti)


def test_a_bad_task_fails_where_its_user_looks(start: Start, version: type[ExecutorOver]) -> None:
    executor = start(version)
    workload = executor.queue(executor_config={"x": 1})

    state, info = executor.loop_until_event(key_of(executor, workload))

    assert state == "failed"
    assert [(event, text) for _, event, text in executor.logged] == [("batchtask refused", info)]


def test_a_missing_external_id_is_reported(start: Start, version: type[ExecutorOver]) -> None:
    executor = start(version)
    workload = executor.queue(external_executor_id=None)

    state, _ = executor.loop()[key_of(executor, workload)]

    assert state == "running"
    assert key_of(executor, workload) in executor.running


def test_a_task_that_waits_for_its_turn_is_not_revoked(
    start: Start, cluster: FakeBatchTasks, version: type[ExecutorOver]
) -> None:
    executor = start(version)
    workload = executor.queue()
    executor.loop_until(lambda: name_of(workload) in cluster.secrets)

    with pytest.raises(NotImplementedError, match="queued_timeout"):
        executor.revoke_task(ti=workload.ti)

    assert executor.has_task(workload.ti)
    assert not cluster.objects[name_of(workload)].spec.cancel


def test_a_task_is_adopted(
    start: Start, cluster: FakeBatchTasks, version: type[ExecutorOver]
) -> None:
    before = start(version)
    workload = before.queue()
    before.loop_until(lambda: name_of(workload) in cluster.secrets)
    before.end()
    before.wait_for_the_end()
    cluster._is_closed = False
    executor = start(version, rows=before.rows)

    assert not executor.try_adopt_task_instances([workload.ti])

    executor.loop_until(lambda: key_of(executor, workload) in executor.running)
    cluster.set_status(name_of(workload), phase=Phase.SUCCEEDED)
    assert executor.loop_until_event(key_of(executor, workload))[0] == "success"


def test_on_3_2_a_callback_fails_with_a_readable_message_and_nothing_else_does(
    start: Start, cluster: FakeBatchTasks
) -> None:
    executor = start(ExecutorOn32)
    callback: ExecuteCallback = execute_callback("4d828a62-a417-4936-a7a6-2b3fabacecab")
    workload = executor.queue()

    executor.queue_workload(callback, None)

    events = executor.loop_until(lambda: name_of(workload) in cluster.secrets)
    # 3.2's scheduler looks the callback up by the key itself.
    state, info = events[uuid.UUID("4d828a62-a417-4936-a7a6-2b3fabacecab")]
    assert state == "failed"
    assert info == (
        "Airflow 3.2 can't run an ExecuteCallback in a job; name another executor in it, or use "
        "Airflow 3.3"
    )
    assert not executor.supports_callbacks


@pytest.mark.parametrize("kind", [ExecutorOver, ExecutorOn32, ExecutorOn34])
@pytest.mark.parametrize("workload", [object(), None, execute_callback("no uuid")])
def test_whatever_is_queued_nothing_is_raised(
    start: Start, kind: type[ExecutorOver], workload: Any
) -> None:
    executor = start(kind)

    executor.queue_workload(workload, None)

    executor.loop()


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("False", {"ExecuteTask", "ExecuteCallback"}),
        ("True", {"ExecuteTask", "ExecuteCallback", "TestConnection"}),
        ("perhaps", {"ExecuteTask", "ExecuteCallback"}),
    ],
)
def test_3_4_is_told_what_is_taken(
    start: Start, configured: pytest.MonkeyPatch, given: str, taken: set[str]
) -> None:
    for name, value in options(connection_tests=given).items():
        configured.setenv(name, value)

    executor = start(ExecutorOn34)

    assert executor.supported_workload_types == taken
    assert Base34.supported_workload_types == {"ExecuteTask"}
