"""Airflow's own log reader, in a process of its own: it prints what the UI would show.

Its configuration comes from the environment, as the api-server's does.

Usage: log_view.py STATE [STATE…]; for each state a line: the log's messages, as a JSON list.
"""

import json
import sys
from datetime import UTC, datetime

from airflow import settings
from airflow.configuration import conf
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.tasklog import LogTemplate
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.log.log_reader import TaskLogReader
from airflow.utils.session import create_session
from sqlalchemy.orm.attributes import set_committed_value


def task_instance(state: str) -> TaskInstance:
    """The task instance etl.load of the run r1, in its first try."""
    with DAG("etl", schedule=None) as dag:
        EmptyOperator(task_id="load")
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("load")
    now = datetime.now(UTC)
    run = DagRun(dag_id="etl", run_id="r1", logical_date=now, run_after=now, run_type="manual")
    ti = TaskInstance(task, dag_version_id=None, run_id="r1", state=state)
    ti.try_number = 1
    set_committed_value(ti, "dag_run", run)
    return ti


def add_log_template() -> None:
    """Make the one table that the reader looks into: how logs are named."""
    LogTemplate.metadata.create_all(settings.engine, tables=[LogTemplate.__table__])
    filename = conf.get("logging", "log_filename_template")
    with create_session() as session:
        session.add(LogTemplate(filename=filename, elasticsearch_id=""))


def main() -> None:
    """Print the log of the task instance in each of the states."""
    add_log_template()
    reader = TaskLogReader()
    for state in sys.argv[1:]:
        messages, _ = reader.read_log_chunks(task_instance(state), 1, {"end_of_log": False})
        sys.stdout.write(f"{json.dumps([message.event for message in messages])}\n")


if __name__ == "__main__":
    main()
