"""`python -m matrix.listing FILE`, in tests/: looks at all DAGs, and lists them as JSON."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from matrix import features
from matrix.catalog import LEFT_OUT, OWN, SHOWS_NOT, SLOW, TESTS
from matrix.example import Example, dumped

EXAMPLES = ("airflow.example_dags", "airflow.providers.standard.example_dags")


def _examples() -> Iterator[Example]:
    for package in EXAMPLES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        bag = DagBag(dag_folder=folder)
        assert not bag.import_errors, bag.import_errors
        for dag in bag.dags.values():
            parts = Path(dag.fileloc).relative_to(folder).with_suffix("").parts
            yield _example(".".join((package, *parts)), dag)
    for dag in DagBag(dag_folder=TESTS / "matrix" / "own.py").dags.values():
        yield _example(OWN, dag)


def _example(module: str, dag: DAG) -> Example:
    return Example(
        module=module,
        dag_id=dag.dag_id,
        tasks=features.task_count(dag),
        features=features.features(dag) - SHOWS_NOT.get(dag.dag_id, frozenset()),
        waits_for=features.awaited_dags(dag),
        starts=features.started_dags(dag),
        consumes=features.consumes_assets(dag),
        left_out=LEFT_OUT.get(dag.dag_id) or _outside(dag),
        is_slow=dag.dag_id in SLOW,
    )


def _outside(dag: DAG) -> str | None:
    """Say what the DAG needs of the outside, where it shows."""
    try:
        dag.params.validate()
    except ParamValidationError:
        return "a person fills in its params"
    for task in dag.tasks:
        if "Virtualenv" in task.task_type:
            return "makes a virtualenv from a package index"
        if isinstance(task, HITLOperator):
            return "waits for a person"
        if "pod_override" in (task.executor_config or {}):
            return "its executor_config is KubernetesExecutor's"
    return None


if __name__ == "__main__":
    by_id = {one.dag_id: one for one in _examples()}  # Airflow 3.2 has the provider's twice
    Path(sys.argv[1]).write_text(dumped(by_id[dag_id] for dag_id in sorted(by_id)))
