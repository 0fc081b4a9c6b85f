"""Virtual time for every test of this folder, and the worlds that live in it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from fakes.clock import FakeClock, VirtualTimeLoop
from unit.controller.world import World


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Hours pass in milliseconds."""
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A cluster and an AWS account, and no controller yet."""
    made = World.now()
    yield made
    await made.end()
    assert made.unannounced == []


@pytest.fixture
async def clock() -> FakeClock:
    """The clock of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop.clock
