"""What differs between the Airflows served, 3.2.2 to 3.4: nothing else asks for a version.

=====================  ====================  ==========================  ==========================
what                   3.2                   3.3                         3.4
=====================  ====================  ==========================  ==========================
queues                 `queued_tasks` …      and of connection tests     `executor_queues[kind]`
what is taken          `supports_callbacks`  `supports_connection_test`  `supported_workload_types`
a task instance's key  its coordinates       its coordinates             `get_task_key()`: its id
a callback's key       its id                `CallbackKey`               `CallbackKey`
a job with a callback  fails                 runs it                     runs it
=====================  ====================  ==========================  ==========================

It looks at the executor at hand and not at a version's number: a later 3.3 may bring what is new.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow.executors.base_executor import BaseExecutor
from airflow.models.callback import CallbackKey
from airflow.models.taskinstancekey import TaskInstanceKey

from batchtask_api import AirflowIdentity
from batchtask_executor.cluster.manifest import external_id
from batchtask_executor.config import SECTION
from batchtask_executor.jobs.workload import Kind

_QUEUES: Final = {
    Kind.TASK: "queued_tasks",
    Kind.CALLBACK: "queued_callbacks",
    Kind.CONNECTION_TEST: "queued_connection_tests",
}


@dataclass(frozen=True, slots=True)
class _KnownTaskInstance:
    """As much of a task instance as its key is made from."""

    id: uuid.UUID | None
    key: TaskInstanceKey


def queue(executor: BaseExecutor, kind: Kind) -> dict[Any, Any]:
    """The workloads of a kind that wait for the executor's next heartbeat, by their keys."""
    unified = getattr(executor, "executor_queues", None)
    found: dict[Any, Any] = (
        getattr(executor, _QUEUES[kind], {}) if unified is None else unified[kind]
    )
    return found


def in_order(executor: BaseExecutor) -> Sequence[tuple[Any, Any]]:
    """What waits, in the order in which Airflow documents that it goes: callbacks, then by weight.

    Airflow 3.2 and 3.3.0 begin with the lowest `priority_weight`. Connection tests have a way of
    their own up to 3.3.
    """
    tasks = sorted(queue(executor, Kind.TASK).items(), key=lambda of: -of[1].ti.priority_weight)
    callbacks = queue(executor, Kind.CALLBACK).items()
    if getattr(executor, "executor_queues", None) is None:
        return [*callbacks, *tasks]
    return [*callbacks, *tasks, *queue(executor, Kind.CONNECTION_TEST).items()]


def runs_others(executor: BaseExecutor) -> bool:
    """Whether a job can run more than task instances: 3.2's `execute_workload` takes no other."""
    return getattr(executor, "run_workload", None) is not None


def declare(executor: BaseExecutor, *, tests_connections: bool) -> frozenset[Kind]:
    """Tell the scheduler which workloads the executor takes, and return them."""
    taken = {Kind.TASK}
    if runs_others(executor):
        taken |= {Kind.CALLBACK, Kind.CONNECTION_TEST} if tests_connections else {Kind.CALLBACK}
    if hasattr(executor, "supported_workload_types"):
        executor.supported_workload_types = frozenset(taken)
    else:
        executor.supports_callbacks = Kind.CALLBACK in taken
        executor.supports_connection_test = Kind.CONNECTION_TEST in taken
    return frozenset(taken)


def refusal(executor: BaseExecutor, kind: str) -> str:
    """Why the executor doesn't take a workload of this kind, for people."""
    if kind == Kind.CONNECTION_TEST:
        return f"set [{SECTION}] connection_tests to test connections in AWS Batch jobs"
    if runs_others(executor):
        return f"{type(executor).__name__} runs no {kind}; name another executor in it"
    return (
        f"Airflow 3.2 can't run an {kind} in a job; name another executor in it, or use Airflow 3.3"
    )


def task_key(executor: BaseExecutor, ti: Any) -> Any:
    """The key by which scheduler and executor speak of a task instance."""
    of = getattr(executor, "get_task_key", None)
    return ti.key if of is None else of(ti)


def key_of(executor: BaseExecutor, airflow: AirflowIdentity) -> Any:
    """The key of the task instance that a BatchTask stands for."""
    coordinates = TaskInstanceKey(
        airflow.dag_id, airflow.task_id, airflow.run_id, airflow.try_number, airflow.map_index
    )
    known = external_id(airflow.task_instance_id)
    return task_key(executor, _KnownTaskInstance(uuid.UUID(known) if known else None, coordinates))


def key(executor: BaseExecutor, workload: Any) -> Any:
    """The key by which scheduler and executor speak of a workload."""
    if workload.type == Kind.TASK:
        return task_key(executor, workload.ti)
    if runs_others(executor):
        return workload.key
    return callback_key(executor, workload.callback.id)


def callback_key(executor: BaseExecutor, callback_id: str) -> Any:
    """The key of a callback, as the scheduler looks it up."""
    # 3.2's key is the row's id itself, and SQLAlchemy wants that as a UUID.
    return CallbackKey(callback_id) if runs_others(executor) else uuid.UUID(callback_id)
