"""The port to the cluster's BatchTasks, with the errors that its requests can meet.

Errors::

    TasksError
    ├── AlreadyExists  the name is taken
    ├── Conflict       the object changed at the same moment: try again
    ├── Gone           the watch can't go on from there: list again
    ├── Refused        this object never gets in, as it is
    ├── Forbidden      a person must give a right, room or a namespace; then it works
    ├── NotInstalled   the cluster doesn't know BatchTasks
    └── Unavailable    no answer now, or one that says later
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from batchtask_api import AirflowIdentity, BatchTask
from batchtask_executor.cluster.manifest import WorkloadSecret


class TasksError(Exception):
    """A request failed; the text says at what, with the API server's words, for people."""


class AlreadyExists(TasksError):
    """An object of that name is there."""


class Conflict(TasksError):
    """The object changed while it was written."""


class Gone(TasksError):
    """What happened since that resourceVersion is no longer known."""


class Refused(TasksError):
    """The API server won't have this object, ever."""


class Forbidden(TasksError):
    """A right is missing, a quota is used up, or the namespace is missing or on its way out."""


class NotInstalled(TasksError):
    """The BatchTask CRD isn't installed."""


class Unavailable(TasksError):
    """The API server can't be asked now.

    Attributes:
        retry_after: seconds to wait, when the API server named them.
        is_general: whether any other request would fare the same.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, is_general: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_general = is_general


@dataclass(frozen=True, slots=True)
class Listing:
    """All tasks of this instance at one moment."""

    tasks: Sequence[BatchTask]
    names: frozenset[str]
    """Of all tasks, those included that could not be read, being of a later version."""
    resource_version: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A task is new, or has changed."""

    task: BatchTask
    resource_version: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A task has gone, or stopped to match the watch; this was its last state."""

    task: BatchTask
    resource_version: str


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Nothing to tell, but how far the watch has come."""

    resource_version: str


Event = Seen | Deleted | Bookmark


class BatchTasks(Protocol):
    """This instance's BatchTasks, in one namespace; safe to use from several threads.

    Tasks that are read come without `spec.job`, which nobody here reads. Every method may raise
    Forbidden, NotInstalled and Unavailable.
    """

    def create(self, task: BatchTask) -> BatchTask:
        """Create the task and return it with its uid.

        Raises:
            AlreadyExists: an object of that name is there.
            Refused: the task is invalid, or too large.
        """

    def put_workload(self, secret: WorkloadSecret) -> None:
        """Create the Secret, or give the one of that name this content.

        Raises:
            Refused: the Secret is invalid, or too large.
            Conflict: it changed at the same moment.
        """

    def get(self, name: str) -> BatchTask | None:
        """The task as it is now, whoever's it is.

        Raises:
            Refused: there is one, but of a version that can't be read.
        """

    def list(self) -> Listing:
        """All tasks of this instance, as the API server holds them now."""

    def find(self, airflow: AirflowIdentity) -> Sequence[BatchTask]:
        """The tasks of one try of a task instance, oldest first, as they were a moment ago."""

    def watch(self, since: str) -> Iterator[Event]:
        """What happens after that resourceVersion, and first a Bookmark once the watch is open.

        It ends now and then, to be called again from the last event's resourceVersion.

        Raises:
            Gone: list again.
        """

    def cancel(self, name: str) -> None:
        """Ask for the end of the task's job; nothing to do if the task is gone.

        Raises:
            Conflict: the task changed at the same moment.
            Refused: the API server won't.
        """

    def close(self) -> None:
        """End every watch, from another thread, and take no more requests."""
