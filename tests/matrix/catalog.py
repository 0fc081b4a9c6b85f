"""All DAGs that there are to run, and what is to be known of single ones."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from matrix.example import Example, Feature, loaded

TESTS = Path(__file__).parents[1]
OWN = "matrix.own"

LEFT_OUT: Mapping[str, str] = {
    "example_dag_decorator": "asks a web service",
    "example_retry_policy": "asks a web service",
    "tutorial_objectstorage": "asks a web service and S3",
    "example_sensors": "its tasks race: one removes the file that another has waited for",
    "example_asset_with_watchers": "waits for files to be removed by hand",
}
"""Why a DAG isn't run, where its tasks' types don't tell."""

SHOWS_NOT: Mapping[str, frozenset[Feature]] = {
    "example_sensor_decorator": frozenset({Feature.RESCHEDULE}),
    "example_time_delta_sensor_async": frozenset({Feature.DEFERRABLE}),
}
"""What a DAG's tasks are marked with and never come to: one sensor is done at its first look, and
of a run in the past the other's time is over."""

SLOW = frozenset({"example_external_task_marker_child"})
"""It waits ten minutes for a task group that isn't there, and fails."""


def catalog() -> tuple[Example, ...]:
    """Look at all DAGs, in a process of its own: Airflow reads its configuration but once."""
    with tempfile.TemporaryDirectory(prefix="matrix-catalog-") as home:
        kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
        given = {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        listed = Path(home) / "listed.json"
        done = subprocess.run(
            [sys.executable, "-m", "matrix.listing", str(listed)],
            cwd=TESTS,
            env={**kept, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return loaded(listed.read_text())
