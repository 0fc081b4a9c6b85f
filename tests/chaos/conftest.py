"""All runs of the suite's tests, a few at a time over one API server: most of a run is waiting."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer, envtest
from chaos.scenario import Scenario
from chaos.stage import Result, play

CRD = Path(__file__).parents[2] / "manifests" / "crd.yaml"
AT_A_TIME = 4

Ran = Callable[[Scenario], Result]


@pytest.fixture(scope="session")
def server() -> Iterator[ApiServer]:
    """Give a real API server with the CRD."""
    with envtest([CRD]) as found:
        yield found


@pytest.fixture(scope="session")
def ran(request: pytest.FixtureRequest, server: ApiServer) -> Iterator[Ran]:
    """Give a scenario's result; all that the session's tests will ask for have been started."""
    params = [
        item.callspec.params.get("scenario")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    wanted = [param for param in params if isinstance(param, Scenario)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        started: dict[str, Future[Result]] = {
            scenario.name: pool.submit(play, scenario, server) for scenario in wanted
        }
        yield lambda scenario: started[scenario.name].result()
        for future in started.values():
            future.cancel()
