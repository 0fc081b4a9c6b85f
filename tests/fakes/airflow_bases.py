"""Stand-ins for the base classes of Airflows that aren't installed, beneath the real executor.

Python puts them between BatchTaskExecutor and the installed BaseExecutor, so that its `super()` is
theirs. What they do is taken from Airflow's source: 3.2.2's, and for 3.4 the change that unified
the queues (apache/airflow#63491) with what providers of that time call.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from airflow.executors.base_executor import BaseExecutor
from airflow.models import Log
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.state import CallbackState, TaskInstanceState

from fakes.executors import ExecutorOver


@dataclass(frozen=True)
class TaskInstanceUuid:
    """3.4's key of a task instance."""

    id: uuid.UUID


class _Gone:
    """An attribute that 3.4 has for older executors alone, with a warning."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AssertionError(f"{self._name} is deprecated in Airflow 3.4")

    def __set__(self, instance: object, value: object) -> None:
        """Let the installed constructor set it."""


class Base34(BaseExecutor):
    """3.4: one dict of queues, one set of what is taken, task instances by their ids."""

    supported_workload_types: frozenset[str] = frozenset({"ExecuteTask"})
    queued_tasks = _Gone()
    queued_callbacks = _Gone()
    queued_connection_tests = _Gone()
    supports_callbacks = _Gone()
    supports_connection_test = _Gone()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.executor_queues: dict[str, dict[Any, Any]] = defaultdict(dict)

    @staticmethod
    def run_workload(workload: Any, **of: Any) -> int:
        raise NotImplementedError

    def get_task_key(self, ti: Any) -> TaskInstanceUuid:
        return TaskInstanceUuid(ti.id)

    def queue_workload(self, workload: Any, session: Any) -> None:
        if workload.type not in self.supported_workload_types:
            raise NotImplementedError(f"{type(self).__name__} does not support {workload.type}")
        is_task = workload.type == "ExecuteTask"
        key = self.get_task_key(workload.ti) if is_task else workload.key
        self.executor_queues[workload.type][key] = workload

    def heartbeat(self) -> None:
        self.trigger_workloads(self.parallelism - len(self.running))
        self.sync()

    def trigger_workloads(self, open_slots: int) -> None:
        chosen = [workload for _, workload in self._get_workloads_to_schedule(open_slots)]
        if chosen:
            self._process_workloads(chosen)

    def has_task(self, task_instance: Any) -> bool:
        key: Any = self.get_task_key(task_instance)
        return key in self.executor_queues["ExecuteTask"] or key in self.running

    def fail(self, key: Any, info: Any = None) -> None:
        self.change_state(key, self._states(key).FAILED, info)

    def success(self, key: Any, info: Any = None) -> None:
        self.change_state(key, self._states(key).SUCCESS, info)

    def running_state(self, key: Any, info: Any = None) -> None:
        self.change_state(key, self._states(key).RUNNING, info, remove_running=False)

    def log_task_event(self, *, event: str, extra: str, ti_key: Any) -> None:
        if isinstance(ti_key, TaskInstanceUuid):
            self._task_event_logs.append(Log(event=event, task_instance=None, extra=extra))

    @property
    def slots_available(self) -> int:
        queued = sum(len(queue) for queue in self.executor_queues.values())
        return self.parallelism - len(self.running) - queued

    def _states(self, key: Any) -> Any:
        assert not isinstance(key, TaskInstanceKey), "3.4 speaks of task instances by their ids"
        return TaskInstanceState if isinstance(key, TaskInstanceUuid) else CallbackState


class Base32(BaseExecutor):
    """3.2: no way to run a callback in a job, and the lowest priority first."""

    run_workload = None  # type: ignore[assignment]

    def queue_workload(self, workload: Any, session: Any) -> None:
        if workload.type != "ExecuteTask":
            raise NotImplementedError(f"{type(self).__name__} does not support {workload.type}")
        super().queue_workload(workload, session)

    def fail(self, key: Any, info: Any = None) -> None:
        self.change_state(key, TaskInstanceState.FAILED, info)

    def order_queued_tasks_by_priority(self) -> Any:
        return sorted(self.queued_tasks.items(), key=lambda of: of[1].ti.priority_weight)


class ExecutorOn34(ExecutorOver, Base34):
    """The executor on 3.4."""


class ExecutorOn32(ExecutorOver, Base32):
    """The executor on 3.2."""


VERSIONS: Mapping[str, type[ExecutorOver]] = {
    "installed": ExecutorOver,
    "3.2": ExecutorOn32,
    "3.4": ExecutorOn34,
}


def key_of(executor: BaseExecutor, workload: Any) -> Any:
    """The key by which the scheduler of that version speaks of a workload."""
    if workload.type != "ExecuteTask":
        return workload.key
    return TaskInstanceUuid(workload.ti.id) if isinstance(executor, Base34) else workload.ti.key


def of_keys(executor: BaseExecutor, workloads: Sequence[Any]) -> set[Any]:
    """The keys of several workloads."""
    return {key_of(executor, workload) for workload in workloads}
