"""Makes of a module's DAGs those of one side: an id, an executor and references of its own."""

import importlib
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions._internal.contextmanager import DagContext
from airflow.sdk.definitions.mappedoperator import MappedOperator

from matrix.side import Side


def twins(module: str, side: Side) -> dict[str, DAG]:
    """Load a module's DAGs for a side.

    The DAGs themselves are changed, not copies: Airflow loads each DAG file in a process of its
    own. What isn't a variable of the module is known only to the register by which Airflow
    itself finds it.
    """
    loaded = importlib.import_module(module)
    values = [*vars(loaded).values(), *(dag for dag, _ in DagContext.autoregistered_dags)]
    dags = {dag.dag_id: dag for dag in values if isinstance(dag, DAG)}
    for dag in dags.values():
        _change(dag, side)
        dag.template_searchpath = [str(Path(str(loaded.__file__)).parent)]
    return {f"dag_{number}": dag for number, dag in enumerate(dags.values())}


def _change(dag: DAG, side: Side) -> None:
    dag.dag_id = side.dag_id(dag.dag_id)
    dag.timetable = DAG("unscheduled", schedule=None).timetable  # it runs when it is told to
    for task in dag.tasks:
        _give(task, side)
        for name in ("trigger_dag_id", "external_dag_id"):
            other = getattr(task, name, None)
            if other:
                setattr(task, name, side.dag_id(other))


def _give(task: Any, side: Side) -> None:
    if isinstance(task, MappedOperator):
        task.partial_kwargs["executor"] = side.value
    else:
        task.executor = side.value
