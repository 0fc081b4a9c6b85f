"""What of Airflow's database no API shows."""

import contextlib
import sqlite3
from typing import Any

from batchtask_local.demo.airflow import Airflow


def rows(airflow: Airflow, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Read the rows that a SELECT finds."""
    file = airflow.home / "airflow.db"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return database.execute(query, parameters).fetchall()
