"""The scheduler dies of what its executor raises: no user's input is to make any call raise."""

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchtask_api import Phase
from fakes.airflow import execute_callback
from fakes.airflow_bases import VERSIONS, key_of
from fakes.executors import ExecutorOver, options
from fakes.tasks import FakeBatchTasks

OPTIONS = (
    "instance",
    "namespace",
    "in_cluster",
    "config_file",
    "cluster_context",
    "job_queue",
    "job_definition",
    "submit_job_kwargs",
    "queues",
    "container",
    "token_lifetime",
    "connection_tests",
)

SUBMIT_JOB = (
    "jobName",
    "job_queue",
    "containerOverrides",
    "container_overrides",
    "environment",
    "command",
    "resourceRequirements",
    "ecsPropertiesOverride",
    "eksPropertiesOverride",
    "taskProperties",
    "podProperties",
    "containers",
    "arrayProperties",
    "tags",
    "timeout",
    "name",
    "value",
)


class Hostile:
    """An object as a DAG's author may put anywhere in executor_config."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]


def _deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"containerOverrides": found, "tags": found}
    return found


def _round() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["containerOverrides"] = found
    return found


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
words = st.sampled_from(SUBMIT_JOB) | text
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | text
    | st.binary(max_size=8)
    | st.builds(Hostile)
)
keys = words | st.none() | st.integers() | st.tuples(st.integers())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
configs = (
    st.none()
    | st.dictionaries(keys, values, max_size=4)
    | st.builds(_deep, st.sampled_from([1, 50, 5000]))
    | st.builds(_round)
)
task_instances = st.fixed_dictionaries(
    {
        "dag_id": text,
        "task_id": text,
        "run_id": text,
        "queue": text,
        "map_index": st.integers(),
        "try_number": st.integers(),
        "priority_weight": st.integers(),
        "external_executor_id": st.none() | text | st.uuids().map(str),
        "executor_config": configs,
    }
)
tokens = st.none() | st.just("") | text | st.just("a.b.c") | st.just("e30.WzFd.x")
option_values = (
    text.filter(lambda value: "\0" not in value)
    | st.sampled_from(["", "0", "True", "None", "[]", "{}", "null", '{"a": {}}', '{"": 1}', "1e9"])
    | values.map(
        lambda value: json.dumps(value, default=lambda of: type(of).__name__, skipkeys=True)
    )
)

ROUGHLY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=list(VERSIONS.values()), ids=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> Iterator[type[ExecutorOver]]:
    return request.param  # type: ignore[no-any-return]


def live_through(executor: ExecutorOver, cluster: FakeBatchTasks, workload: Any) -> None:
    """Everything that the scheduler calls, until the workload is written or has failed."""
    key = key_of(executor, workload)
    events: dict[Any, Any] = {}

    def settled() -> bool:
        events.update(executor.loop())
        return bool(cluster.secrets) or key not in executor.running

    executor.rows.queue(workload, executor.job_id, key=key)
    executor.queue_workload(workload, None)  # type: ignore[arg-type]
    events.update(executor.loop_until(settled))
    if not cluster.secrets:
        state, info = events[key]
        assert state == "failed"
        assert info
    executor.rows.start(workload.ti)
    for name in list(cluster.objects):
        cluster.set_status(name, phase=Phase.FAILED, status_reason="\0 % {} \ud83d")
    executor.loop_until(lambda: not executor.running)
    executor.try_adopt_task_instances([workload.ti])
    executor.sync()
    revoke(executor, workload.ti)
    executor.sync()


def revoke(executor: ExecutorOver, ti: Any) -> None:
    """Do as the scheduler, who takes this one error for "leave it in its queue"."""
    with suppress(NotImplementedError):
        executor.revoke_task(ti=ti)


@ROUGHLY
@given(of=task_instances, token=tokens)
def test_whatever_a_task_instance_holds(
    configured: pytest.MonkeyPatch, version: type[ExecutorOver], of: dict[str, Any], token: Any
) -> None:
    cluster = FakeBatchTasks()
    executor = version(cluster)
    executor.start()
    try:
        live_through(executor, cluster, executor.workload(token=token, **of))
    finally:
        executor.end()
        executor.wait_for_the_end()


@ROUGHLY
@given(given_options=st.dictionaries(st.sampled_from(OPTIONS), option_values))
def test_whatever_the_configuration_holds(
    configured: pytest.MonkeyPatch, version: type[ExecutorOver], given_options: dict[str, str]
) -> None:
    cluster = FakeBatchTasks()
    executor = version(cluster)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in options(**given_options).items():
            environment.setenv(name, value)
        executor.start()
    if executor._parts:
        cluster.instance = executor._parts.tracker._drafts.settings.instance
    try:
        live_through(executor, cluster, executor.workload(id=uuid.uuid4()))
    finally:
        executor.end()
        executor.wait_for_the_end()


@ROUGHLY
@given(callback_id=text | st.uuids().map(str), data=st.dictionaries(words, values, max_size=4))
def test_whatever_a_callback_holds(
    configured: pytest.MonkeyPatch,
    version: type[ExecutorOver],
    callback_id: str,
    data: dict[str, Any],
) -> None:
    cluster = FakeBatchTasks()
    executor = version(cluster)
    executor.start()
    try:
        executor.queue_workload(execute_callback(callback_id, **data), None)  # type: ignore[arg-type]
        executor.loop_until(lambda: cluster.secrets or not executor.running)
    finally:
        executor.end()
        executor.wait_for_the_end()


@ROUGHLY
@given(external_executor_id=values)
def test_whatever_stands_in_the_database_as_an_external_id(
    executor: ExecutorOver, external_executor_id: Any
) -> None:
    ti: Any = executor.workload().ti.model_copy(
        update={"external_executor_id": external_executor_id}
    )

    executor.try_adopt_task_instances([ti])
    revoke(executor, ti)
    executor.sync()
