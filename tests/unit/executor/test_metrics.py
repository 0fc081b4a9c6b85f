"""What reaches Airflow's metrics."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from batchtask_api import Phase
from batchtask_executor.cluster.manifest import task_name
from batchtask_executor.cluster.tasks import Forbidden
from batchtask_executor.executor import BatchTaskExecutor
from batchtask_executor.following import metrics
from batchtask_executor.following.metrics import Stats
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks

Start = Callable[[type[ExecutorOver]], ExecutorOver]


class Recorded(Stats):
    """Airflow's Stats that keep what they are told."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.timings: dict[str, list[timedelta]] = {}

    def incr(self, stat: str) -> None:
        self.counts[stat] += 1

    def gauge(self, stat: str, value: float) -> None:
        self.gauges[stat] = value

    def timing(self, stat: str, dt: timedelta) -> None:
        self.timings.setdefault(stat, []).append(dt)


class Broken(Recorded):
    def incr(self, stat: str) -> None:
        raise OSError("no route to the metrics' host")


class Measured(ExecutorOver):
    stats: ClassVar[Stats] = Recorded()


class Unmeasurable(ExecutorOver):
    stats: ClassVar[Stats] = Broken()


@pytest.fixture
def start(configured: pytest.MonkeyPatch, cluster: FakeBatchTasks) -> Iterator[Start]:
    del configured
    started: list[ExecutorOver] = []

    def start(of: type[ExecutorOver]) -> ExecutorOver:
        started.append(of(cluster, parallelism=50))
        started[-1].start()
        return started[-1]

    yield start
    for executor in started:
        executor.end()


def written(executor: ExecutorOver, cluster: FakeBatchTasks, **of: Any) -> tuple[Any, str]:
    workload = executor.queue(**of)
    name = task_name(str(workload.ti.external_executor_id))
    executor.loop_until(lambda: name in cluster.secrets)
    executor.rows.start(workload.ti)
    return workload.ti.key, name


def test_all_that_is_told_is_told_by_its_name(cluster: FakeBatchTasks, start: Start) -> None:
    recorded = Recorded()
    Measured.stats = recorded
    executor = start(Measured)
    cluster.fail_next["create"] = [Forbidden("exceeded quota")]
    for task_id, phase in (("good", Phase.SUCCEEDED), ("bad", Phase.FAILED)):
        key, name = written(executor, cluster, task_id=task_id)
        cluster.set_status(name, phase=phase)
        executor.loop_until_event(key)
    refused = executor.queue(executor_config={"memory": "8GB"})
    executor.loop_until_event(refused.ti.key)

    executor.loop()

    assert recorded.counts == {
        "batchtask_executor.writes": 2,
        "batchtask_executor.delays": 1,
        "batchtask_executor.refusals": 1,
        "batchtask_executor.ends.success": 1,
        "batchtask_executor.ends.failed": 2,
    }
    assert recorded.gauges == {"batchtask_executor.cached_tasks": 2}
    ((name, took),) = recorded.timings.items()
    assert name == "batchtask_executor.write_duration"
    assert len(took) == 2
    assert all(timedelta() < each < timedelta(seconds=10) for each in took)
    for told in (*recorded.counts, *recorded.gauges, *recorded.timings):
        assert f"| `{told}` |" in str(metrics.__doc__)


def test_a_backend_that_raises_stops_nothing(cluster: FakeBatchTasks, start: Start) -> None:
    executor = start(Unmeasurable)
    key, name = written(executor, cluster)

    cluster.set_status(name, phase=Phase.SUCCEEDED)

    assert executor.loop_until_event(key)[0] == "success"


def test_airflows_own_takes_all_three() -> None:
    stats = BatchTaskExecutor.stats

    stats.incr("batchtask_executor.writes")
    stats.gauge("batchtask_executor.cached_tasks", 1)
    stats.timing("batchtask_executor.write_duration", timedelta(seconds=1))
