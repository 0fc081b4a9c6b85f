"""Lets every BatchTask of the cluster go, so that an uninstall of the CRD can end.

A CRD's deletion waits for every task, and a task for its finalizer, which only a controller drops:
where none runs any more, nothing would ever end.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from batchtask_api import names
from batchtask_controller.clock import Clock
from batchtask_controller.tasks import Conflict, Gone, Unreachable

log = logging.getLogger(__name__)

_LOOK_AGAIN = 1.0
_GIVE_UP_AFTER = 60.0
"""How long the dropping of finalizers may take, after the wait for the controller."""


@dataclass(frozen=True, slots=True)
class Held:
    """A BatchTask that is still there, of whatever version."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    finalizers: tuple[str, ...]
    is_deleting: bool
    job_id: str | None

    @property
    def has_our_finalizer(self) -> bool:
        """Whether it waits for a controller."""
        return names.FINALIZER in self.finalizers

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Estate(Protocol):
    """All BatchTasks of a cluster. Every method may raise Refused and Unreachable."""

    async def delete_definition(self) -> None:
        """Delete the CRD: no task can be created from here on, and every task is deleted."""

    async def held(self) -> Sequence[Held]:
        """Every task there is; none where the CRD is gone."""

    async def delete(self, task: Held) -> None:
        """Delete this very task.

        Raises:
            Conflict: another has its name.
            Gone: it isn't there.
        """

    async def drop_finalizer(self, task: Held) -> None:
        """Drop the controller's finalizer, if the task is as it was read.

        Raises:
            Conflict: it isn't.
            Gone: it isn't there.
        """


async def release(
    estate: Estate, clock: Clock, *, wait_seconds: float, with_definition: bool
) -> Sequence[Held]:
    """Delete every task, give a controller time to end the jobs, then drop the finalizers.

    Returns:
        The tasks that are still there, held by finalizers of others; none where all is well.

    Raises:
        Unreachable: what is there could not be seen to the end.
    """
    started = clock.monotonic()
    if with_definition:
        await estate.delete_definition()
    while True:
        waited = clock.monotonic() - started
        is_over = waited >= wait_seconds + _GIVE_UP_AFTER
        try:
            left = await estate.held()
        except Unreachable as error:
            if is_over:
                raise
            log.warning("%s; looking again", error)
        else:
            if not left or is_over:
                return left
            await _let_go(estate, left, deletes=not with_definition, drops=waited >= wait_seconds)
        await asyncio.sleep(_LOOK_AGAIN)


async def _let_go(estate: Estate, tasks: Sequence[Held], *, deletes: bool, drops: bool) -> None:
    doing = "dropping their finalizers" if drops else "a controller is to end their jobs"
    log.info("%d tasks are still there; %s", len(tasks), doing)
    if deletes:
        await asyncio.gather(*(_delete(estate, task) for task in tasks if not task.is_deleting))
    if drops:
        await asyncio.gather(*(_drop(estate, task) for task in tasks if task.has_our_finalizer))


async def _delete(estate: Estate, task: Held) -> None:
    try:
        await estate.delete(task)
    except (Conflict, Gone, Unreachable) as error:
        log.debug("%s: %s", task, error)


async def _drop(estate: Estate, task: Held) -> None:
    try:
        await estate.drop_finalizer(task)
    except Gone:
        return
    except (Conflict, Unreachable) as error:
        log.debug("%s: %s", task, error)
    else:
        job = f"its job {task.job_id} may still run" if task.job_id else "it had no job yet"
        log.warning("dropped the finalizer of %s: no controller did; %s", task, job)
