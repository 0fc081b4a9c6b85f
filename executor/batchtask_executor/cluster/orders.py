"""What the writer is given, and what it reports of each task, by its name."""

from collections.abc import Callable
from dataclasses import dataclass, field

from batchtask_api import BatchTask
from batchtask_executor.cluster.manifest import Identity
from batchtask_executor.jobs.tokens import MintedWorkload


@dataclass(frozen=True, slots=True)
class Draft:
    """A task that is to be created, and how its workload is made when its turn has come."""

    task: BatchTask
    mint: Callable[[], MintedWorkload] = field(repr=False)
    notes: tuple[str, ...] = ()
    """For people: what was left out of what they asked for."""


@dataclass(frozen=True, slots=True)
class Order:
    """A workload to write."""

    identity: Identity
    priority: int
    draft: Callable[[Identity], Draft] = field(repr=False)
    """Makes the task; it is called in a writer's thread and may raise BadJob."""
    owns_name: bool = False
    """Whatever is there by the task's name was made for the same queuing."""
    is_there: bool = False
    """The task is in the cluster already, and its workload is to be written again."""


@dataclass(frozen=True, slots=True)
class Written:
    """The task and its workload are in the cluster."""

    name: str
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    """How long it took, the waits for others and for mended trouble included."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The name was that of an earlier queuing: this task goes by another one."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The workload can't be written, ever; the message is for its user."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Delayed:
    """The workload waits for something that a person may have to mend."""

    name: str
    message: str


Report = Written | Renamed | Rejected | Delayed
