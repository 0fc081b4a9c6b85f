"""API servers for the tests, one of each kind a session, and a namespace of its own a test."""

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer, ApiServerError, binaries, emulator, envtest

# A kind must be there before the real server's garbage collector starts, or it waits for 30 s.
CRDS = (
    Path(__file__).parent / "apiserver" / "widgets.yaml",
    Path(__file__).parents[2] / "manifests" / "crd.yaml",
)


@pytest.fixture(scope="session")
def envtest_server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """A real API server. It fails in CI if its binaries aren't at hand, and is never skipped."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(message: str) -> None:
        # A build takes minutes: it must be seen.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            sys.stderr.write(f"{message}\n")

    if os.environ.get("CI") == "true" and binaries.find() is None:
        pytest.fail("no binaries: run `python -m batchtask_local.apiserver prepare` first")
    try:
        with envtest(CRDS, say) as server:
            yield server
    except ApiServerError as error:
        pytest.fail(f"the real API server can't be had: {error}", pytrace=False)


@pytest.fixture(scope="session")
def emulator_server() -> Iterator[ApiServer]:
    """An emulated API server."""
    with emulator(CRDS) as server:
        yield server


@pytest.fixture(scope="session", params=["envtest", "emulator"])
def apiserver(request: pytest.FixtureRequest) -> ApiServer:
    """Each of the two, one after the other."""
    found: ApiServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """A new namespace on the server that the test uses."""
    known = ("apiserver", "emulator_server", "envtest_server")
    used = next((name for name in known if name in request.fixturenames), None)
    if used is None:
        pytest.fail(f"a test with a namespace needs one of the fixtures {', '.join(known)}")
    server: ApiServer = request.getfixturevalue(used)
    name = f"test-{uuid.uuid4().hex[:12]}"
    server.create_namespace(name)
    return name
