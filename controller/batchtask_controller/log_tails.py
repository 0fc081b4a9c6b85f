"""The last lines of what a failed job wrote, for its task's status. They are never logged."""

import asyncio
import logging
from collections.abc import Sequence

from batchtask_controller.batch import Batch, Job, JobStatus, LogStream, Rejected, Unsent
from batchtask_controller.clock import Clock

log = logging.getLogger(__name__)

MOST_BYTES = 4096

_TIMEOUT = 5.0
_OFF_FOR = 60.0


class LogTails:
    """Reads tails while that works; a task's end never waits long, nor fails, for one."""

    def __init__(self, *, batch: Batch, clock: Clock, is_on: bool) -> None:
        self._batch = batch
        self._clock = clock
        self._is_on = is_on
        self._off_until: dict[tuple[str | None, str | None], float] = {}

    async def of(self, job: Job | None) -> tuple[str, ...] | None:
        """The last lines of a failed job's log; None where there are none to be had."""
        if not self._is_on or job is None or job.status is not JobStatus.FAILED:
            return None
        if (stream := _stream(job)) is None:
            return None
        group = stream.group, stream.region  # one may lack a right that others have
        if self._clock.monotonic() < self._off_until.get(group, float("-inf")):
            return None
        try:
            async with asyncio.timeout(_TIMEOUT):
                return trimmed(await self._batch.log_tail(stream))
        except Rejected as error:
            log.info("no log of job %s: %s", job.id, error)  # its container wrote nothing yet
        except (Unsent, TimeoutError) as error:
            self._off_until[group] = self._clock.monotonic() + _OFF_FOR
            why = str(error) or f"no answer within {_TIMEOUT:.0f} s"
            log.warning("jobs' logs can't be read; not tried for %.0f s: %s", _OFF_FOR, why)
        return None


def _stream(job: Job) -> LogStream | None:
    of_attempts = [attempt.log_stream_name for attempt in reversed(job.attempts)]
    name = next((name for name in [job.log_stream_name, *of_attempts] if name), None)
    return LogStream(name, job.log_group_name, job.log_region) if name else None


def trimmed(lines: Sequence[str]) -> tuple[str, ...] | None:
    """The last lines of these, within the bytes that a status has room for; None for nothing.

    The last line alone may be longer: then its own last part is kept.
    """
    kept: list[str] = []
    left = MOST_BYTES
    for line in reversed(lines):
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept.append(line)
    if not kept and lines:
        kept = [lines[-1].encode()[-MOST_BYTES:].decode(errors="ignore")]
    return tuple(reversed(kept)) or None
