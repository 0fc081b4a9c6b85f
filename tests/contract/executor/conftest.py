"""The clusters that the port's suite runs over: the stand-in, the emulator, the real server."""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer, ApiServerError, binaries, emulator, envtest
from fakes.clusters import Cluster, FakeCluster, ServedCluster

CRDS = (Path(__file__).parents[3] / "manifests" / "crd.yaml",)
_SERVED = [pytest.mark.integration]


def _say(message: str) -> None:
    print(message, file=sys.__stderr__)


@pytest.fixture(scope="session")
def emulated() -> Iterator[ApiServer]:
    with emulator(CRDS) as server:
        yield server


@pytest.fixture(scope="session")
def real() -> Iterator[ApiServer]:
    if os.environ.get("CI") == "true" and binaries.find() is None:
        pytest.fail("no binaries: run `python -m batchtask_local.apiserver prepare` first")
    try:
        with envtest(CRDS, _say) as server:
            yield server
    except ApiServerError as error:
        pytest.fail(f"the real API server can't be had: {error}", pytrace=False)


@pytest.fixture(
    params=[
        "fake",
        pytest.param("emulated", marks=_SERVED),
        pytest.param("real", marks=[*_SERVED, pytest.mark.envtest]),
    ]
)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that has nothing of ours in it."""
    if request.param == "fake":
        found: Cluster = FakeCluster()
    else:
        server: ApiServer = request.getfixturevalue(request.param)
        namespace = f"test-{uuid.uuid4().hex[:12]}"
        server.create_namespace(namespace)
        found = ServedCluster(server, namespace)
    yield found
    found.tasks.close()
