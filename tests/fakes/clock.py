"""Time that moves only when it is told to, and an event loop that tells it."""

import asyncio
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


class FakeClock:
    """Both clocks: `advance` moves the two of them, `jump` the wall clock alone."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = 0.0
        self._jumped = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed + self._jumped)

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        self._passed += seconds

    def jump(self, seconds: float) -> None:
        self._jumped += seconds


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Where others would wait for the next timer, this one moves its clock there at once."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        super().__init__(_ImpatientSelector(self.clock))

    def time(self) -> float:
        return self.clock.monotonic()


class _ImpatientSelector(selectors.BaseSelector):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self._inner = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("the test waits for what will never come: no timer is set")
        self._clock.advance(timeout)
        return []

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> "Mapping[FileDescriptorLike, selectors.SelectorKey]":
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()
