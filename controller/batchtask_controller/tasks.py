"""The port to the cluster's BatchTasks, with the errors that a write can meet.

Errors::

    TasksError
    ├── Conflict      the task has changed since it was read: read it again, decide again
    ├── Gone          the task is no longer there
    ├── Refused       the API server won't take the write: a right is missing, or the object is bad
    └── Unreachable   the API server can't be asked for now
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from batchtask_api import BatchTask, OwnerReference


class TasksError(Exception):
    """A request to the cluster failed; its text names the object and the API server's words."""


class Conflict(TasksError):
    """The object is no longer as it was read."""


class Gone(TasksError):
    """The object is no longer there."""


class Refused(TasksError):
    """The API server won't do it."""


class Unreachable(TasksError):
    """No answer, or one that says later."""


@dataclass(frozen=True, slots=True)
class WorkloadSecret:
    """The Secret that a task names. Its content is a credential: it never shows itself."""

    type: str
    owners: tuple[OwnerReference, ...]
    content: str | None
    expires: datetime | None = None

    def __repr__(self) -> str:
        return f"WorkloadSecret(type={self.type!r})"


class Tasks(Protocol):
    """BatchTasks in the cluster. Every method may raise Refused and Unreachable."""

    async def list(self) -> Sequence[BatchTask]:
        """All tasks of the scope, as the API server holds them now and not as a cache has them."""

    async def uids(self) -> Set[str]:
        """The uids of all objects of the scope, those too that can't be read as tasks."""

    async def get(self, task: BatchTask) -> BatchTask:
        """The task as it is now.

        Raises:
            Gone: it was deleted.
        """

    async def patch_status(self, task: BatchTask, changes: Mapping[str, Any]) -> BatchTask:
        """Change the status, if the task is still at the resourceVersion that was read.

        Raises:
            Conflict: it isn't.
            Gone: it was deleted.
        """

    async def set_finalizers(self, task: BatchTask, finalizers: Sequence[str]) -> BatchTask:
        """Replace the finalizers, if the task is still at the resourceVersion that was read.

        Raises:
            Conflict: it isn't.
            Gone: it was deleted.
        """

    async def delete(self, task: BatchTask) -> None:
        """Delete this very task; one of the same name made since stays."""

    async def workload(self, task: BatchTask) -> WorkloadSecret | None:
        """The Secret that the task names, None while there is none."""
