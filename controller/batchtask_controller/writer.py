"""Status patches: none without a change, each against the version that was read."""

import logging

from batchtask_api import BatchTaskStatus
from batchtask_controller import metrics
from batchtask_controller.echo import Echo
from batchtask_controller.status import changes
from batchtask_controller.store import Record, Store
from batchtask_controller.tasks import Tasks, TasksError

log = logging.getLogger(__name__)


class StatusWriter:
    """Writes a task's status and takes the answer into the store."""

    def __init__(self, tasks: Tasks, store: Store, echo: Echo) -> None:
        self._tasks = tasks
        self._store = store
        self._echo = echo

    async def write(self, record: Record, status: BatchTaskStatus) -> None:
        """Make the task's status so, by one patch, or none where it is so already.

        Raises:
            Conflict, Gone, Refused, Unreachable: nothing is known to be written.
        """
        before = record.task
        if not (changed := changes(before.status, status)):
            return
        try:
            self._store.refresh(await self._tasks.patch_status(before, changed))
        except TasksError as error:
            metrics.PATCHES.labels(type(error).__name__).inc()
            raise
        metrics.PATCHES.labels("ok").inc()
        self._echo.wrote()
        if status.phase is not before.status.phase:
            log.info(
                "task went from %s to %s",
                before.status.phase,
                status.phase,
                extra={"task": str(before), "job_id": status.job_id},
            )
