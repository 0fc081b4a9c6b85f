"""Forgets tasks that are gone though the watch never said so.

A watch that begins anew, after 410 or after kopf's own end, lists what is there; that something
no longer is, it tells nobody.
"""

import asyncio
import logging

from batchtask_controller.clock import Clock
from batchtask_controller.store import Store
from batchtask_controller.tasks import Tasks, TasksError

log = logging.getLogger(__name__)


class Census:
    """Compares the store with the cluster, now and then."""

    def __init__(
        self, *, store: Store, tasks: Tasks, clock: Clock, interval_seconds: float
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._clock = clock
        self._interval = interval_seconds
        self._next = clock.monotonic() + interval_seconds

    async def sweep(self) -> None:
        """Count once, when it is time to; what fails is done again the next time."""
        await asyncio.sleep(max(0.0, self._next - self._clock.monotonic()))
        self._next = self._clock.monotonic() + self._interval
        known = self._store.uids()  # before the list: what comes after it is none of its business
        try:
            there = await self._tasks.uids()
        except TasksError as error:
            log.warning("the tasks could not be counted: %s", error)
            return
        gone = [uid for uid in known if uid not in there]
        for uid in gone:
            self._store.forget(uid)
        if gone:
            log.info("%d tasks were gone without the watch telling", len(gone))
