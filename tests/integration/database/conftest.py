"""Airflow's own scheduler over a database, an executor of ours in it, and a stand-in cluster."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from fakes.airflow_database import AirflowDatabase, Scheduler, prepare
from fakes.databases import executor_on
from fakes.executors import options
from fakes.postgres import Postgres, serve
from fakes.tasks import FakeBatchTasks

StartScheduler = Callable[..., Scheduler]
Step = Callable[[Scheduler, FakeBatchTasks], str]
"""Brings the one task of a run somewhere, and returns its BatchTask's name."""


class Begin(Protocol):
    """Writes a run of one task, starts a scheduler, and has it take the step."""

    def __call__(self, step: Step, *, retries: int = 0, **options: Any) -> tuple[Scheduler, str]:
        """Return the scheduler and the name of the BatchTask."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with serve() as postgres:
        prepare(postgres.create("prepared"))
        yield postgres


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("airflow") / "airflow.db"
    prepare(f"sqlite:///{file}")
    return file


@pytest.fixture
def on_postgres(postgres: Postgres) -> Iterator[AirflowDatabase]:
    database = AirflowDatabase(postgres.create("airflow", template="prepared"))
    yield database
    database.close()
    postgres.drop("airflow")


@pytest.fixture
def on_sqlite(prepared_sqlite: Path, tmp_path: Path) -> Iterator[AirflowDatabase]:
    file = shutil.copy(prepared_sqlite, tmp_path / "airflow.db")
    database = AirflowDatabase(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> AirflowDatabase:
    found: AirflowDatabase = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture
def cluster() -> FakeBatchTasks:
    return FakeBatchTasks()


@pytest.fixture
def start(cluster: FakeBatchTasks, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartScheduler]:
    """Start a scheduler over a database; its executor is configured as usual, `of` over that."""
    started: list[Scheduler] = []

    def start(
        database: AirflowDatabase, *others: Any, alias: str | None = None, **of: Any
    ) -> Scheduler:
        values = {"job_queue": "analytics", "job_definition": "worker:7"} | of
        for name, value in options(**values).items():
            monkeypatch.setenv(name, value)
        cluster.reopen()
        scheduler = Scheduler(database, executor_on(cluster, alias), *others)
        started.append(scheduler)
        return scheduler

    yield start
    for scheduler in started:
        scheduler.executor.end()
        scheduler.executor.wait_for_the_end()


@pytest.fixture
def begin(database: AirflowDatabase, start: StartScheduler, cluster: FakeBatchTasks) -> Begin:
    def begin(step: Step, *, retries: int = 0, **options: Any) -> tuple[Scheduler, str]:
        database.write_run("load", retries=retries)
        scheduler = start(database, **options)
        return scheduler, step(scheduler, cluster)

    return begin
