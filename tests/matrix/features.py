"""Finds out what a DAG uses, by looking at its tasks."""

import dis
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from matrix.example import Feature

Task = Any
"""An operator, mapped or not: Airflow has no public type for both."""


def features(dag: DAG) -> frozenset[Feature]:
    """Return what the DAG uses."""
    used = {
        feature
        for feature, is_used_by in _OF_A_TASK.items()
        if any(is_used_by(task) for task in dag.tasks)
    }
    if dag.params:
        used.add(Feature.PARAMS)
    return frozenset(used)


def task_count(dag: DAG) -> int:
    """Return how many task instances there are at least: mapped tasks count what is known."""
    return sum(_instances(task) for task in dag.tasks)


def started_dags(dag: DAG) -> frozenset[str]:
    """Return the DAGs that tasks start."""
    found = (getattr(task, "trigger_dag_id", None) for task in dag.tasks)
    return frozenset(name for name in found if name)


def awaited_dags(dag: DAG) -> frozenset[str]:
    """Return the DAGs whose runs tasks need: those that they start, and those they wait for."""
    sensors = (task for task in dag.tasks if hasattr(task, "poke"))
    found = (getattr(task, "external_dag_id", None) for task in sensors)
    return started_dags(dag) | {name for name in found if name}


def consumes_assets(dag: DAG) -> bool:
    """Tell whether the DAG reads what others have written to assets."""
    by_assets = "Asset" in type(dag.timetable).__name__
    return by_assets or any(getattr(task, "inlets", None) for task in dag.tasks)


def _instances(task: Task) -> int:
    inputs = [group._expand_input for group in task.iter_mapped_task_groups()]
    if isinstance(task, MappedOperator):
        inputs.append(task._get_specified_expand_input())
    return math.prod(_length(each.value) for each in inputs)


def _length(value: Any) -> int:
    """Of what a task is mapped over; 1 where only a run will tell."""
    if isinstance(value, Mapping):
        return math.prod(map(_length, value.values()))
    return max(1, len(value)) if isinstance(value, list | tuple) else 1


def _class_of(task: Task) -> type:
    kind = task.operator_class if isinstance(task, MappedOperator) else type(task)
    assert isinstance(kind, type)
    return kind


def _is_branch(task: Task) -> bool:
    return _chooses(task) and _has_branches(task)


def _skips(task: Task) -> bool:
    return _chooses(task) and not _has_branches(task)


def _has_branches(task: Task) -> bool:
    """Tell by the name of a base: the SDK and the provider each have one, by their versions."""
    return any(base.__name__ == "BranchMixIn" for base in _class_of(task).__mro__)


def _chooses(task: Task) -> bool:
    """Tell whether tasks are skipped by it: a run that is started by hand is always the latest."""
    kind = _class_of(task)
    return bool(task.inherits_from_skipmixin) and not issubclass(kind, LatestOnlyOperator)


def _has_a_rule(task: Task) -> bool:
    return not task.is_teardown and task.trigger_rule != TriggerRule.ALL_SUCCESS


def _is_rescheduled(task: Task) -> bool:
    return getattr(task, "mode", None) == "reschedule"


def _is_deferrable(task: Task) -> bool:
    return bool(getattr(task, "deferrable", False) or getattr(task, "start_from_trigger", False))


def _fails_and_retries(task: Task) -> bool:
    """Tell whether the task's own code raises: a task that can't fail shows nothing of retries."""
    called = getattr(task, "python_callable", None)
    return bool(task.retries) and called is not None and _raises(called)


def _raises(called: Callable[..., object]) -> bool:
    code = getattr(inspect.unwrap(called), "__code__", None)
    return code is not None and any(
        instruction.opname == "RAISE_VARARGS"
        for each in _nested(code)
        for instruction in dis.get_instructions(each)
    )


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _takes_xcom(task: Task) -> bool:
    inputs = [getattr(task, name, None) for name in task.template_fields]
    if isinstance(task, MappedOperator):
        inputs += [task.partial_kwargs, task._get_specified_expand_input().value]
    return any(True for each in inputs for _ in XComArg.iter_xcom_references(each))


_OF_A_TASK: Mapping[Feature, Callable[[Task], bool]] = {
    Feature.MAPPED: lambda task: isinstance(task, MappedOperator),
    Feature.MAPPED_GROUP: lambda task: any(True for _ in task.iter_mapped_task_groups()),
    Feature.BRANCH: _is_branch,
    Feature.SKIP: _skips,
    Feature.TRIGGER_RULE: _has_a_rule,
    Feature.SETUP_TEARDOWN: lambda task: bool(task.is_setup or task.is_teardown),
    Feature.RESCHEDULE: _is_rescheduled,
    Feature.DEFERRABLE: _is_deferrable,
    Feature.RETRIES: _fails_and_retries,
    Feature.XCOM: _takes_xcom,
    Feature.ASSETS: lambda task: bool(getattr(task, "outlets", None)),
    Feature.OTHER_DAG: lambda task: bool(getattr(task, "trigger_dag_id", None)),
}
