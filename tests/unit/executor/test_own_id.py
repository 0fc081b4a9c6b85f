"""The id in a database of Airflow's own making."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from airflow import settings
from airflow.models.team import Team
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import Table, delete, select

from batchtask_executor.claim.own_id import KEY, DatabaseId
from batchtask_executor.cluster.tasks import Unavailable
from fakes.airflow import HOME  # noqa: F401 - before anything of Airflow's

TABLES: list[Table] = [Team.__table__, Variable.__table__]


@pytest.fixture
def database() -> Iterator[None]:
    assert settings.engine is not None
    Variable.metadata.create_all(settings.engine, tables=TABLES)
    yield
    Variable.metadata.drop_all(settings.engine, tables=TABLES)


@pytest.mark.usefixtures("database")
def test_it_is_made_once_and_stays() -> None:
    first = DatabaseId().get()

    assert DatabaseId().get() == first
    with create_session() as session:
        (row,) = session.scalars(select(Variable).where(Variable.key == KEY)).all()
        assert row.description is not None
        assert "[batchtask_executor] instance" in row.description


@pytest.mark.usefixtures("database")
def test_two_schedulers_at_once_have_one() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(lambda _: DatabaseId().get(), range(8)))

    assert len(found) == 1


@pytest.mark.usefixtures("database")
def test_a_new_database_has_another() -> None:
    first = DatabaseId().get()
    with create_session() as session:
        session.execute(delete(Variable))

    assert DatabaseId().get() != first


@pytest.mark.usefixtures("database")
def test_one_that_cannot_be_decrypted_is_told() -> None:
    with create_session() as session:
        row = Variable(KEY, "x")  # type: ignore[no-untyped-call]
        row._val, row.is_encrypted = "garbage", True
        session.add(row)

    with pytest.raises(Unavailable, match="fernet_key changed"):
        DatabaseId().get()


def test_a_database_without_its_tables_is_told() -> None:
    with pytest.raises(Unavailable, match="can't be read or made"):
        DatabaseId().get()
