from pathlib import Path
from typing import Any

import pytest
from airflow.executors.workloads import BundleInfo, ExecuteCallback

from fakes.executors import ExecutorOver


def callback(data_id: str) -> Any:
    return ExecuteCallback.model_validate(
        {
            "callback": {"id": data_id, "fetch_method": "import_path", "data": {}},
            "token": "t",
            "dag_rel_path": Path("etl.py"),
            "bundle_info": BundleInfo(name="dags"),
            "log_path": None,
        }
    )


def test_a_callback_fails_by_itself_and_stops_nothing(executor: ExecutorOver) -> None:
    workload = callback("4d828a62-a417-4936-a7a6-2b3fabacecab")

    executor.queue_workload(workload, None)  # type: ignore[arg-type]

    ((key, (state, info)),) = executor.loop().items()
    # The scheduler looks it up as UUID(str(key)), or, in 3.2, as the key itself.
    assert "4d828a62-a417-4936-a7a6-2b3fabacecab" in str(key)
    assert state == "failed"
    assert "runs no ExecuteCallback" in info


@pytest.mark.parametrize("workload", [object(), None, callback("no uuid")])
def test_whatever_is_queued_nothing_is_raised(executor: ExecutorOver, workload: Any) -> None:
    executor.queue_workload(workload, None)  # type: ignore[arg-type]

    executor.loop()


def test_it_says_that_it_takes_only_task_instances(executor: ExecutorOver) -> None:
    assert not executor.supports_callbacks
    assert not getattr(executor, "supports_connection_test", False)
