"""DAGs that miss their deadlines: the callback of one tells of it, that of the other raises."""

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference


def tell(context: dict[str, Any]) -> None:
    """Write down which run is late."""
    Path(os.environ["LATE"]).write_text(context["dag_run"]["dag_run_id"])


def fail() -> None:
    """Fail as one that calls for help in vain."""
    raise RuntimeError("the pager doesn't answer")


def late(dag_id: str, callback: Callable[..., None]) -> None:
    """Make a DAG whose run has less time than its task's job takes to start."""
    deadline = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=datetime.timedelta(seconds=1),
        callback=SyncCallback(callback),
    )
    with DAG(dag_id, schedule=None, catchup=False, deadline=deadline):
        task(work)()


def work() -> None:
    """Be late."""


late("late_and_told", tell)
late("late_and_failing", fail)
