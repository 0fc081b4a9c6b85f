"""What the scheduler's log says at the start, and that nothing waits for it."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from batchtask_executor.checks.health import Premises
from batchtask_executor.config import Settings
from fakes.awaiting import until
from fakes.executors import ExecutorOver
from fakes.premises import FakePremises
from fakes.tasks import FakeBatchTasks
from unit.executor.following import written


class Slow(FakePremises):
    """An API server that takes its time, and lacks the CRD."""

    def _arrive(self) -> None:
        time.sleep(0.2)


class Starting(ExecutorOver):
    def premises(self, settings: Settings) -> Premises:
        del settings
        return Slow(kind=None)


@pytest.fixture
def starting(
    configured: pytest.MonkeyPatch, cluster: FakeBatchTasks, caplog: pytest.LogCaptureFixture
) -> Iterator[ExecutorOver]:
    configured.setenv("AIRFLOW__AWS_BATCH_EXECUTOR__REGION_NAME", "eu-west-1")
    configured.setenv("AIRFLOW__BATCHTASK_EXECUTOR__JOB_QUE", "analytics")
    caplog.set_level(logging.WARNING)
    executor = Starting(cluster, parallelism=50)
    yield executor
    executor.end()


def test_what_is_wrong_is_said_and_the_start_waits_for_none_of_it(
    starting: ExecutorOver,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],  # where Airflow's own loggers write
) -> None:
    began = time.monotonic()
    starting.start()
    took = time.monotonic() - began
    said_at_once = capsys.readouterr().out

    until(lambda: "Health check: the cluster doesn't know BatchTasks" in caplog.text)

    assert took < 2  # all that it asks takes 12 times 0.2 s
    assert "[warning  ] [aws_batch_executor] region_name is not read" in said_at_once
    assert "[warning  ] [batchtask_executor] job_que is no option" in said_at_once
    assert "[info     ] [core] parallelism is Airflow's default" in said_at_once
    assert "Health check" not in said_at_once


def test_where_a_thread_cannot_be_started_none_is_left_and_a_later_start_is_whole(
    configured: pytest.MonkeyPatch, cluster: FakeBatchTasks
) -> None:
    def refuse(thread: threading.Thread) -> None:
        if thread.name == "batchtask-ledger":
            raise RuntimeError("can't start new thread")
        start(thread)

    start = threading.Thread.start
    executor = ExecutorOver(cluster, parallelism=50)
    configured.setattr(threading.Thread, "start", refuse)
    executor.start()
    until(lambda: not ours())
    workload = executor.queue()
    state, info = executor.loop_until_event(workload.ti.key)
    assert (state, "can't start new thread" in info) == ("failed", True)
    assert not cluster.objects
    executor.end()

    configured.setattr(threading.Thread, "start", start)
    cluster.reopen()
    executor.start()
    written(executor)

    executor.end()
    executor.wait_for_the_end()
    assert not ours()


def ours() -> list[str]:
    """The threads of an executor that are there."""
    return [each.name for each in threading.enumerate() if each.name.startswith("batchtask-")]
