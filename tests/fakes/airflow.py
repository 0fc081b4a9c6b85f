"""Airflow for tests: a home of its own, and workloads as its scheduler makes them.

Import it before anything of Airflow's, which reads its environment while it is imported. The
environment is put back after that: what other tests start is not to inherit it.
"""

import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

HOME = tempfile.TemporaryDirectory(prefix="batchtask-airflow-")

ENVIRONMENT = {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}
_before = dict(os.environ)
os.environ.update(ENVIRONMENT)

from airflow.configuration import conf  # noqa: E402
from airflow.executors.base_executor import BaseExecutor  # noqa: E402
from airflow.executors.workloads import ExecuteCallback, ExecuteTask, TaskInstanceDTO  # noqa: E402
from airflow.executors.workloads.base import BundleInfo  # noqa: E402
from airflow.models.callback import CallbackKey  # noqa: E402

os.environ.clear()
os.environ.update(_before)
conf.set("api_auth", "jwt_secret", "a secret for tests that is long enough" * 2)


def execute_task(executor: BaseExecutor, *, token: str | None = None, **of: Any) -> ExecuteTask:
    """A workload as the scheduler makes it for this executor; `of` goes over the defaults."""
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "dag_version_id": uuid.uuid4(),
        "dag_id": "etl",
        "task_id": "load",
        "run_id": "scheduled__2026-01-01T00:00:00+00:00",
        "try_number": 1,
        "map_index": -1,
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "executor_config": {},
        "external_executor_id": str(uuid.uuid4()),
    }
    ti = TaskInstanceDTO.model_validate(values | of)
    if token is None:
        token = ExecuteTask.generate_token(str(ti.id), executor.jwt_generator)
    return ExecuteTask(
        ti=ti,
        dag_rel_path=Path("etl.py"),
        token=token,
        log_path="dag_id=etl/task_id=load/attempt=1.log",
        bundle_info=BundleInfo(name="dags-folder", version=None),
    )


def execute_callback(callback_id: str, **data: Any) -> Any:
    """A callback's workload as the scheduler makes it for a missed deadline."""
    return KeyedCallback.model_validate(
        {
            "callback": {
                "id": callback_id,
                "fetch_method": "import_path",
                "data": {"path": "callbacks.tell", "kwargs": {}, "dag_run_id": "1"} | data,
            },
            "token": "t",
            "dag_rel_path": Path("etl.py"),
            "bundle_info": BundleInfo(name="dags-folder", version=None),
            "log_path": f"executor_callbacks/etl/manual/{callback_id}",
        }
    )


class KeyedCallback(ExecuteCallback):
    """A callback's workload; it has a key in Airflow 3.3 and later."""

    @property
    def key(self) -> Any:
        return CallbackKey(self.callback.id)
