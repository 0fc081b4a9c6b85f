"""Whose rows are asked for; what is decided by them stands in test_nobodys_tasks.py."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from batchtask_executor.cluster.cache import TaskCache
from batchtask_executor.following.inquiries import Look
from batchtask_executor.following.ledger import Terms
from batchtask_executor.following.strays import Strays
from batchtask_executor.following.table import TaskTable
from fakes.awaiting import until
from fakes.task_instances import create
from fakes.tasks import FakeBatchTasks

PLACE = ("etl", "load", "r1", -1)
MINUTE = timedelta(seconds=61)


@pytest.fixture
def cache(cluster: FakeBatchTasks) -> Iterator[TaskCache]:
    cache = TaskCache(cluster)
    cache.start()
    yield cache
    cache.stop()
    cluster.close()
    cache.join(10)


def test_a_row_is_not_asked_for_again_before_the_answer(
    cluster: FakeBatchTasks, cache: TaskCache
) -> None:
    """Airflow's database may give none for hours."""
    name = create(cluster)
    until(lambda: cache.get(name))
    strays = Strays(cache, Terms(start_retries=3, finish_grace=timedelta(minutes=5)))
    table, now = TaskTable(), datetime.now(UTC)

    assert list(strays.looks(table, now)) == [Look(name, PLACE)]
    assert not list(strays.looks(table, now + MINUTE))
    strays.is_to_end(name, None, now + MINUTE)
    assert list(strays.looks(table, now + 2 * MINUTE)) == [Look(name, PLACE)]
