import time
from collections.abc import Iterator

import pytest

from batchtask_api import AirflowIdentity, BatchTask, Phase
from batchtask_executor.backoff import Backoff
from batchtask_executor.cluster.cache import Change, TaskCache
from batchtask_executor.cluster.manifest import Identity, batch_task
from batchtask_executor.cluster.tasks import Forbidden, Gone, NotInstalled, TasksError, Unavailable
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing
from fakes.awaiting import until
from fakes.tasks import FakeBatchTasks

QUICK = Backoff(first_seconds=0.01, most_seconds=0.02)
AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id="r", try_number=1)


def task(name: str = "1", instance: str = "airflow") -> BatchTask:
    identity = Identity(name, Queuing("q"), AIRFLOW)
    job = Job({"jobQueue": "q", "jobDefinition": "d"})
    return batch_task(identity, job, namespace="airflow-tasks", instance=instance, priority=0)


@pytest.fixture
def cache(cluster: FakeBatchTasks) -> Iterator[TaskCache]:
    cache = TaskCache(cluster, backoff=QUICK)
    yield cache
    cache.stop()
    cluster.close()
    cache.join(5)


def changes_of(cache: TaskCache, count: int = 1) -> dict[str, Change]:
    """The changes up to and with this many names."""
    found: dict[str, Change] = {}

    def enough() -> bool:
        found.update({change.task.metadata.name: change for change in cache.drain()})
        return len(found) >= count

    until(enough)
    return found


def test_what_is_there_and_what_comes_is_told(cache: TaskCache, cluster: FakeBatchTasks) -> None:
    cluster.create(task("1"))
    cluster.create(task("other", instance="other"))
    cache.start()

    assert changes_of(cache).keys() == {"bt-1"}

    cluster.create(task("2"))

    assert changes_of(cache).keys() == {"bt-2"}
    assert cache.get("bt-1") is not None
    assert cache.get("bt-other") is None


def test_a_list_that_is_gone_before_it_is_whole_is_not_asked_for_without_a_pause(
    cluster: FakeBatchTasks,
) -> None:
    cluster.create(task("1"))
    cluster.fail_next["list"] = [Gone("the continue token is too old")] * 2
    cache = TaskCache(cluster, backoff=Backoff(first_seconds=0.2, most_seconds=0.2))
    began = time.monotonic()

    cache.start()

    until(lambda: cache.last_complete)
    assert time.monotonic() - began > 0.3
    assert cluster.requests["list"] == 3
    cache.stop()
    cluster.close()
    cache.join(5)


def test_several_changes_of_a_task_are_told_as_the_last(
    cache: TaskCache, cluster: FakeBatchTasks
) -> None:
    cluster.create(task("1"))
    cluster.set_status("bt-1", phase=Phase.RUNNING)
    cache.start()
    until(lambda: cache.last_complete)
    cluster.set_status("bt-1", phase=Phase.SUCCEEDED)
    cluster.delete("bt-1")
    cluster.release("bt-1")
    until(lambda: cache.get("bt-1") is None)

    (change,) = cache.drain()

    assert change.is_gone
    assert change.task.status.phase is Phase.SUCCEEDED
    assert not cache.drain()


def test_what_happened_during_an_outage_is_told_after_it(
    cache: TaskCache, cluster: FakeBatchTasks
) -> None:
    cluster.create(task("1"))
    cache.start()
    changes_of(cache)
    cluster.down = Unavailable("can't reach it")
    cluster.break_watches()
    cluster.set_status("bt-1", phase=Phase.RUNNING)

    cluster.down = None

    assert changes_of(cache)["bt-1"].task.status.phase is Phase.RUNNING
    assert cluster.requests["list"] == 1


def test_a_forgotten_history_is_listed_again_and_compared(
    cache: TaskCache, cluster: FakeBatchTasks
) -> None:
    for name in ("kept", "changed", "lost"):
        cluster.create(task(name))
    cache.start()
    changes_of(cache, 3)
    cluster.down = Unavailable("can't reach it")
    cluster.set_status("bt-changed", phase=Phase.RUNNING)
    cluster.lose("bt-lost")
    cluster.forget_history()

    cluster.down = None

    found = changes_of(cache, 2)
    assert found.keys() == {"bt-changed", "bt-lost"}
    assert found["bt-lost"].is_gone
    assert not found["bt-changed"].is_gone
    assert cache.listings_begun == cache.last_complete == 2


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("no answer"),
        Unavailable("a hiccup", is_general=False),
        Forbidden("no right"),
        NotInstalled("no CRD"),
        TasksError("anything"),
    ],
)
def test_it_goes_on_when_the_trouble_is_over(
    cache: TaskCache, cluster: FakeBatchTasks, error: TasksError
) -> None:
    cluster.create(task("1"))
    cluster.fail_next["list"] = [error, error]
    cluster.fail_next["watch"] = [error]
    cache.start()

    assert changes_of(cache).keys() == {"bt-1"}
    cluster.set_status("bt-1", phase=Phase.RUNNING)
    assert changes_of(cache)["bt-1"].task.status.phase is Phase.RUNNING


def test_a_bug_does_not_end_it(
    cache: TaskCache, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.create(task("1"))
    cluster.fail_next["watch"] = [RuntimeError("a bug")]
    cache.start()
    changes_of(cache)

    until(lambda: cluster.requests["watch"] == 2)

    assert "A bug stopped the watch" in caplog.text


def test_a_task_that_only_lost_our_label_is_not_gone(
    cache: TaskCache, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.create(task("1"))
    cache.start()
    changes_of(cache)

    cluster.relabel("bt-1", "other")
    cluster.create(task("2"))

    assert changes_of(cache).keys() == {"bt-2"}
    assert "put the label back" in caplog.text


def test_trouble_is_logged_once_and_its_end_too(
    cache: TaskCache, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    cluster.down = Forbidden("can't list: no right")
    cache.start()
    until(lambda: cluster.requests["list"] > 5)

    cluster.down = None

    until(lambda: "takes requests again" in caplog.text)
    assert caplog.text.count("can't list: no right") == 1
    assert caplog.text.count("takes requests again") == 1


def test_it_stops_at_once_while_it_waits(cluster: FakeBatchTasks) -> None:
    cluster.down = Unavailable("can't reach it")
    cache = TaskCache(cluster, backoff=Backoff(first_seconds=600, most_seconds=600))
    cache.start()
    until(lambda: cluster.requests["list"])

    cache.stop()
    cache.join(5)

    assert cluster.requests["list"] == 1
