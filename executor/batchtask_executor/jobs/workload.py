"""What Airflow hands to an executor, in one shape whatever its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self, assert_never

from batchtask_api import names
from batchtask_executor.cluster.manifest import CALLBACK, CONNECTION_TEST, Identity, label
from batchtask_executor.jobs.tokens import Queuing

FIRST: Final = 2**31 - 1
"""The priority of what completes work that was begun: Airflow has it go before all tasks."""

_CALLBACK_TTL_SECONDS: Final = 86400
"""A callback's end stands nowhere but in its BatchTask: a success stays for as long as a failure,
since the scheduler that is to tell it may be cut off."""

_DEFAULT_QUEUE: Final = "default"


class Kind(StrEnum):
    """The kinds of workload, as Airflow spells them in a workload's `type`."""

    TASK = "ExecuteTask"
    CALLBACK = "ExecuteCallback"
    CONNECTION_TEST = "TestConnection"


_PREFIXES: Final = {Kind.CALLBACK: CALLBACK, Kind.CONNECTION_TEST: CONNECTION_TEST}


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a workload goes into its BatchTask."""

    subject: str
    """Whom its token speaks for: the id that Airflow's API knows it by."""
    queue: str
    priority: int
    executor_config: object = None
    labels: Mapping[str, str] = field(default_factory=dict)
    ttl_seconds: int | None = None
    """How long its BatchTask stays after its end; None: for as long as the controller has it."""

    @classmethod
    def of(cls, workload: Any) -> Self:
        """Read them from any of Airflow's workloads."""
        kind = Kind(workload.type)
        match kind:
            case Kind.TASK:
                ti = workload.ti
                return cls(str(ti.id), ti.queue, ti.priority_weight, ti.executor_config)
            case Kind.CALLBACK:
                data = workload.callback.data
                labels = {names.LABEL_WORKLOAD: "callback"}
                if isinstance(dag_id := data.get("dag_id"), str):
                    labels[names.LABEL_DAG_ID] = label(dag_id)
                queue, ttl = _queue(data.get("queue")), _CALLBACK_TTL_SECONDS
                return cls(workload.callback.id, queue, FIRST, None, labels, ttl)
            case Kind.CONNECTION_TEST:
                labels = {names.LABEL_WORKLOAD: "connection-test"}
                subject = str(workload.connection_test_id)
                return cls(subject, _queue(workload.queue), FIRST, None, labels)
        assert_never(kind)


def identity_of_other(workload: Any) -> Identity:
    """The identity of a workload that is no task instance.

    Airflow runs each of them once, under one id: its queuing is that id, so that a task that an
    earlier scheduler created for it is the one wanted.
    """
    subject = Facts.of(workload).subject
    return Identity(f"{_PREFIXES[Kind(workload.type)]}{subject}", Queuing(subject), None)


def callback_id_of(external_id: str) -> str | None:
    """The id of the callback that a task stands for, None if it stands for something else."""
    is_one = external_id.startswith(CALLBACK)
    return external_id.removeprefix(CALLBACK) if is_one else None


def _queue(given: object) -> str:
    return given if isinstance(given, str) and given else _DEFAULT_QUEUE
