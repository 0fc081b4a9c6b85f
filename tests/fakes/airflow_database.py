"""Airflow's database with a DAG in it, and the parts of its own scheduler that meet an executor."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.airflow import HOME  # noqa: F401 - before anything of Airflow's

from airflow import settings  # isort: skip
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagbundle import DagBundleModel
from airflow.models.pool import Pool
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.db import synchronize_log_template
from airflow.utils.orm_event_handlers import setup_event_handlers
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from fakes.awaiting import until
from fakes.executors import ConfiguredExecutor

DAG_ID, RUN_ID, BUNDLE = "etl", "manual__1", "dags-folder"


def prepare(url: str) -> None:
    """Make Airflow's tables in an empty database, and what every DAG needs."""
    engine = create_engine(url)
    import_all_models()  # type: ignore[no-untyped-call]
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        synchronize_log_template(session=session)
        session.add(DagBundleModel(name=BUNDLE))
        session.add(Pool(pool="default_pool", slots=1000, include_deferred=False))
    engine.dispose()


class AirflowDatabase:
    """Holds one run of a DAG. Airflow's settings lead to it until it is closed."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url)
        setup_event_handlers(self.engine)  # type: ignore[no-untyped-call]
        self._before = (settings.engine, settings.Session, settings.NonScopedSession)
        settings.engine = self.engine
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._scoped = scoped_session(self._sessions)
        settings.NonScopedSession, settings.Session = self._sessions, self._scoped

    def close(self) -> None:
        """Let go of it; Airflow's settings are as before."""
        self._scoped.remove()
        settings.engine, settings.Session, settings.NonScopedSession = self._before
        self.engine.dispose()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction of its own."""
        with self._sessions.begin() as session:
            yield session

    def write_run(self, *task_ids: str, **of: Any) -> None:
        """Write a DAG of these tasks, with `of` for each, and a run of it; all are scheduled."""
        with DAG(DAG_ID, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            for task_id in task_ids:
                EmptyOperator(task_id=task_id, **of)
        lazy = LazyDeserializedDAG.from_dag(dag)
        with self.session() as session:
            SerializedDAG.bulk_write_to_db(BUNDLE, None, [dag], session=session)
            SerializedDagModel.write_dag(lazy, bundle_name=BUNDLE, session=session)
        with self.session() as session:
            written = session.scalars(select(SerializedDagModel)).one().dag
            now = datetime.now(UTC)
            run = written.create_dagrun(
                run_id=RUN_ID,
                logical_date=now,
                data_interval=(now, now),
                run_after=now,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                start_date=now,
                session=session,
            )
            assert run.created_dag_version_id
            run.verify_integrity(dag_version_id=run.created_dag_version_id, session=session)
        for task_id in task_ids:
            self.change(task_id, state="scheduled", try_number=1, **self._executor(of))

    @staticmethod
    def _executor(of: Mapping[str, Any]) -> dict[str, Any]:
        return {"executor": of["executor"]} if "executor" in of else {}

    def of(self, task_id: str = "load") -> TaskInstance:
        """The task instance as it is."""
        with self.session() as session:
            return session.scalars(select(TaskInstance).filter_by(task_id=task_id)).one()

    def state(self, task_id: str = "load") -> str | None:
        """Its state."""
        return self.of(task_id).state

    def change(self, task_id: str = "load", **values: Any) -> None:
        """Change it, as some other part of Airflow does."""
        with self.session() as session:
            chosen = update(TaskInstance).where(TaskInstance.task_id == task_id)
            session.execute(chosen.values(**values))

    def start(self, task_id: str = "load") -> None:
        """Do as the execution API when the job's process starts the task."""
        self.change(
            task_id, state="running", pid=7, hostname="batch", last_heartbeat_at=datetime.now(UTC)
        )


class Scheduler:
    """Airflow's own scheduler, step by step, over one executor beside others.

    What it calls without a session joins its transaction: both have the thread's session.
    """

    def __init__(
        self, database: AirflowDatabase, executor: ConfiguredExecutor, *others: Any
    ) -> None:
        self.database = database
        self.executor = executor
        with database.session() as session:
            job = Job(job_type="SchedulerJob", state="running")  # type: ignore[no-untyped-call]
            job.latest_heartbeat = datetime.now(UTC)
            session.add(job)
            session.flush()
            session.expunge(job)
        self.job = job
        self.runner = SchedulerJobRunner(job=job, executors=[*others, executor])
        executor.job_id = job.id
        executor.start()

    def enqueue(self) -> None:
        """Queue what is scheduled; the executor hasn't had its heartbeat."""
        with create_session() as session:
            self.runner._critical_section_enqueue_task_instances(session)

    def queue(self) -> None:
        """Queue what is scheduled, and have the executor take it."""
        self.enqueue()
        self.loop()

    def loop(self) -> None:
        """Go once through what the scheduler's loop does with the executor."""
        self.executor.heartbeat()
        with create_session() as session:
            self.runner._process_executor_events(self.executor, session)
            self.runner._process_task_event_logs(self.executor._task_event_logs, session)

    def loop_until(self, condition: Any) -> None:
        """Loop until the condition holds."""

        def holds() -> object:
            self.loop()
            return condition()

        until(holds)

    def look(self, seconds: float = 16) -> None:
        """Let so much time go by, and the executor take in how all rows are."""
        self.executor.pass_time(seconds)
        self.loop()
        self.loop_until(lambda: not any(each.is_asked for each in self.executor._table))
        self.loop()

    def handle_stuck(self, seconds: float) -> None:
        """Do as the scheduler with tasks that were queued so long ago."""
        ago = datetime.now(UTC) - timedelta(seconds=seconds)
        with self.database.session() as session:
            session.execute(
                update(TaskInstance).where(TaskInstance.state == "queued").values(queued_dttm=ago)
            )
        self.runner._handle_tasks_stuck_in_queued()

    def adopt(self) -> int:
        """Adopt what schedulers left that are gone; the number of those that were reset."""
        with create_session() as session:
            return self.runner.adopt_or_reset_orphaned_tasks(session=session)

    def die(self) -> None:
        """Die of kill -9: the executor's threads end, and nothing is handed over."""
        self.executor.end()
        self.executor.wait_for_the_end()
        self.miss_heartbeats()

    def miss_heartbeats(self) -> None:
        """Be thought dead by the other schedulers."""
        with self.database.session() as session:
            long_ago = datetime.now(UTC) - timedelta(hours=1)
            session.execute(
                update(Job).where(Job.id == self.job.id).values(latest_heartbeat=long_ago)
            )
