"""What the figures are measured on: a real kube-apiserver, and local Batch."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchtask_api.names import DEFAULT_NAMESPACE
from batchtask_local.apiserver import ApiServer, envtest
from batchtask_local.apiserver.server import quiet
from batchtask_local.batch import Faults, LocalBatchConfig, LocalBatchHandle, Queue, running
from batchtask_local.batch.clock import Clock
from batchtask_local.batch.logs import LogStore
from batchtask_local.batch.runner import Runner
from batchtask_local.batch.simulated import SimulatedRunner, Simulation
from bench.slow_proxy import slow
from integration.faults.conftest import grant
from integration.faults.controller import Controller, start
from integration.faults.world import DEFINITION

CRDS = (Path(__file__).parents[1] / "manifests" / "crd.yaml",)
QUEUE = "default"
JOB_DEFINITION = DEFINITION["jobDefinitionName"]


@dataclass(frozen=True)
class Cluster:
    """An API server with a namespace, and how the controller logs in."""

    server: ApiServer
    namespace: str
    account: Path


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Start an API server that has our CRD, namespace and rights."""
    with envtest(CRDS, quiet) as server:
        yield Cluster(server, DEFAULT_NAMESPACE, grant(server))


@contextlib.contextmanager
def slow_kubeconfig(server: ApiServer, seconds: float) -> Iterator[Path]:
    """Give a kubeconfig of the server's administrator over a line of that latency."""
    port = int(server.url.rpartition(":")[2])
    with slow(port, seconds) as near, tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory, "kubeconfig")
        text = server.kubeconfig.read_text(encoding="utf-8")
        kubeconfig.write_text(text.replace(f":{port}", f":{near}"), encoding="utf-8")
        yield kubeconfig


@contextlib.contextmanager
def batch(*, job_seconds: float = 0, latency: float = 0) -> Iterator[LocalBatchHandle]:
    """Start local Batch, whose jobs run for so long whatever their command."""
    with tempfile.TemporaryDirectory() as directory:
        config = LocalBatchConfig(
            Path(directory),
            queues=(Queue(QUEUE, 100_000),),
            job_definitions=[DEFINITION],
            faults=Faults(latency=latency),
            runner=_runner(job_seconds),
        )
        with running(config) as handle:
            yield handle


@contextlib.contextmanager
def controller(on: Cluster, aws: LocalBatchHandle, *, budget: int = 40) -> Iterator[Controller]:
    """Run a controller, as a process with its own rights, on its defaults but for the budget."""
    settings = {
        "BATCHTASK_AWS_ENDPOINT_URL": aws.url,
        "BATCHTASK_CALLS_PER_SECOND": budget,
        "BATCHTASK_NAMESPACES": on.namespace,
        "BATCHTASK_POLL_INTERVAL_SECONDS": 10,
        "KUBECONFIG": on.account,
    }
    with tempfile.TemporaryDirectory() as directory:
        process = start(Path(directory), "bench", settings, None)
        try:
            yield process
        finally:
            process.stop()


def _runner(seconds: float) -> Callable[[Clock, LogStore], Runner]:
    def runner(clock: Clock, logs: LogStore) -> Runner:
        del logs
        script: Any = lambda _launch: Simulation(seconds)  # noqa: E731
        return SimulatedRunner(clock, lambda *_: None, script)

    return runner
