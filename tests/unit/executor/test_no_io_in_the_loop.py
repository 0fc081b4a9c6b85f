"""The scheduler's thread asks nobody anything, whatever the API server does: no clock is read."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.utils.state import TaskInstanceState

from batchtask_executor.cluster.tasks import TasksError, Unavailable
from fakes.executors import ConfiguredExecutor, ExecutorOver, options
from fakes.tasks import FakeBatchTasks

MANY = 1000
REACHES_OUT = {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"}

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: nobody, user: {token: secret}}]
"""


class WatchedTasks(FakeBatchTasks):
    """Remembers which threads asked for something."""

    def _arrive(self, operation: str) -> None:
        self.__dict__.setdefault("threads", set()).add(threading.get_ident())
        super()._arrive(operation)


class Sockets:
    """Which threads used the network: an audit hook of Python's, which can't be taken away."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self._is_on = False
        sys.addaudithook(self._hear)

    @contextmanager
    def listening(self) -> Iterator[None]:
        self._is_on = True
        try:
            yield
        finally:
            self._is_on = False

    def _hear(self, event: str, _args: object) -> None:
        if self._is_on and event in REACHES_OUT:
            self.threads.add(threading.get_ident())


SOCKETS = Sockets()


def live_through(executor: ConfiguredExecutor, seen: Callable[[], object]) -> None:
    """All that the scheduler calls of a working day, with many workloads."""
    workloads: list[Any] = [executor.queue(task_id=f"t{number}") for number in range(MANY)]
    executor.loop()
    assert len(executor.running) == MANY
    executor.loop_until(seen)
    executor.try_adopt_task_instances([workload.ti for workload in workloads[:10]])
    for workload in workloads[:10]:
        with suppress(NotImplementedError):  # by which Airflow leaves it in its queue
            executor.revoke_task(ti=workload.ti)
    executor.change_state(workloads[10].ti.key, TaskInstanceState.FAILED)
    executor.loop()
    executor.end()
    executor.wait_for_the_end()


@pytest.mark.parametrize("down", [None, Unavailable("no answer")])
def test_no_request_is_made_in_the_schedulers_thread(
    configured: pytest.MonkeyPatch, down: TasksError | None
) -> None:
    cluster = WatchedTasks(down=down, latency_seconds=0.2)
    executor = ExecutorOver(cluster, parallelism=5 * MANY)
    executor.start()

    live_through(executor, lambda: cluster.requests["create"] >= 8)

    threads: set[int] = cluster.__dict__["threads"]
    assert threads
    assert threading.get_ident() not in threads


def test_no_socket_is_touched_in_the_schedulers_thread(
    configured: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    given: dict[str, Any] = {"in_cluster": "False", "config_file": str(kubeconfig)}
    for name, value in options(**given).items():
        configured.setenv(name, value)
    executor = ConfiguredExecutor(parallelism=5 * MANY)

    with SOCKETS.listening():
        executor.start()
        live_through(executor, lambda: SOCKETS.threads)

    assert SOCKETS.threads
    assert threading.get_ident() not in SOCKETS.threads
