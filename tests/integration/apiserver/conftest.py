"""Clients of the API server that a test uses, in that test's namespace."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from batchtask_local.apiserver import ApiServer, binaries
from integration.apiserver.clients import Http, Kubectl, Widgets

Eventually = Callable[..., None]
"""Takes a condition, and how many seconds it may take."""


@pytest.fixture
def http(apiserver: ApiServer) -> Iterator[Http]:
    with urllib3.PoolManager(ca_certs=str(apiserver.ca_file), retries=False) as pool:
        yield Http(apiserver, pool)


@pytest.fixture
def widgets(http: Http, namespace: str) -> Widgets:
    return Widgets(http, namespace)


@pytest.fixture(scope="session")
def kubectl_program() -> Path:
    return binaries.kubectl()


@pytest.fixture
def kubectl(
    apiserver: ApiServer,
    namespace: str,
    kubectl_program: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Kubectl:
    # One cache a server: kubectl's discovery of a real one takes a second.
    home = tmp_path_factory.getbasetemp() / f"kubectl-{apiserver.kind}"
    return Kubectl(kubectl_program, apiserver.kubeconfig, home, namespace)


@pytest.fixture
def eventually() -> Eventually:
    """Wait until something is so; what the server does in the background takes a moment."""

    def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not so after {seconds} s"
            time.sleep(0.02)

    return wait
