"""The watch is late once a write of ours was followed by nothing for too long."""

from batchtask_controller.echo import LATE_AFTER, Echo
from fakes.clock import FakeClock


async def test_a_watch_is_not_late_before_anything_was_written(clock: FakeClock) -> None:
    echo = Echo(clock)

    clock.advance(10 * LATE_AFTER)

    assert not echo.is_late()


async def test_a_watch_that_shows_nothing_after_a_write_becomes_late(clock: FakeClock) -> None:
    echo = Echo(clock)

    echo.wrote()
    clock.advance(LATE_AFTER)
    was_late = echo.is_late()
    echo.wrote()
    clock.advance(1)

    assert not was_late
    assert echo.is_late()


async def test_any_event_shows_that_the_watch_lives(clock: FakeClock) -> None:
    echo = Echo(clock)

    echo.wrote()
    clock.advance(LATE_AFTER)
    echo.heard()
    clock.advance(LATE_AFTER)

    assert not echo.is_late()
