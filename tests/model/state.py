"""One moment of the model: the API server's object, AWS Batch, and what each controller holds."""

from enum import StrEnum
from typing import NamedTuple

from model.rules import Faults

NAMES = ("A", "B")
NOBODY = 0
"""Stands for a process that is gone, or for no holder; A is 1, B is 2."""
NO_JOB = -1
SEEN = 100
"""A job's age from which on AWS Batch shows it: it needs no counting any more."""


class Property(StrEnum):
    """What must hold in every reachable state."""

    ONE_JOB = "a task has at most one job"
    INTENT_STANDS = "AWS takes no request whose intent does not stand"
    OWN_JOB = "a task has no job's id but its own's"
    END_IS_END = "a task that ended stays so"
    NO_ORPHAN = "a task that ended without a job has none, and gets none"
    WAY_ON = "from every state there is a way to a job's id or to an end"


class Stage(StrEnum):
    """How far a controller's call for a task has got."""

    ANNOUNCED = "has announced"
    SIGNED = "has signed"
    PASSED = "has passed before-send"
    WAITING = "waits for the reply"
    ANSWERED = "is about to read the reply"
    LOOKED = "is about to read the look-up's answer"


class Result(StrEnum):
    """What AWS's answer says."""

    NONE = "nothing"
    JOB = "a job"
    UNSENT = "not sent"
    REJECTED = "rejected"


class Lead(StrEnum):
    """What a process believes of its leadership."""

    NO = "stands by"
    YES = "leads"
    STALE = "acts without leading"


class Intent(NamedTuple):
    """`status.submission`."""

    number: int
    by: int
    age: int


class Version(NamedTuple):
    """The task as the API server held it from one write to the next."""

    intent: Intent | None = None
    job: int = NO_JOB
    """Whose job's id stands in the status."""
    done: bool = False
    cancel: bool = False


class Call(NamedTuple):
    """A submission or a look-up that a controller is in; it holds the task's lock."""

    stage: Stage
    number: int
    held: int = 0
    """Ticks since the intent, by the process's monotonic clock."""
    wall: int = 0
    """The same by its wall clock."""
    signed: int = 0
    """Ticks since the signature; below zero where it is dated ahead."""
    result: Result = Result.NONE
    job: int = NO_JOB


class Mind(NamedTuple):
    """A controller's record of a task."""

    behind: int = 0
    """How many versions its view is behind."""
    sent: int = NO_JOB
    unsent: tuple[int, ...] = ()
    since: int | None = None
    """Ticks since `sent_at`."""
    call: Call | None = None
    overtaken: bool = False
    """Somebody else has written since the version that the call was decided on."""


class Request(NamedTuple):
    """A SubmitJob on its way."""

    number: int
    by: int
    signed: int
    left: int | None
    """Ticks in which it may still arrive; None while its sender waits for it."""


class Late(NamedTuple):
    """A status patch whose sender has given up on it and that may still arrive."""

    what: str
    intent: Intent | None = None


class Task(NamedTuple):
    """One BatchTask, all that exists of it anywhere."""

    versions: tuple[Version, ...] = (Version(),)
    """From the oldest that anyone still looks at to the current one."""
    minds: tuple[Mind, Mind] = (Mind(), Mind())
    requests: tuple[Request, ...] = ()
    late: tuple[Late, ...] = ()
    job: int | None = None
    """Ticks since AWS took the job."""

    @property
    def is_settled(self) -> bool:
        """Whether it shows its job or its end."""
        return self.versions[-1].job != NO_JOB or self.versions[-1].done


class Process(NamedTuple):
    """One controller process, apart from its tasks."""

    lead: Lead = Lead.NO
    alive: bool = True
    paused: bool = False


Processes = tuple[Process, Process]


class State(NamedTuple):
    """One moment."""

    processes: Processes
    holder: int
    faults: Faults
    """Those that may still happen."""
    tasks: tuple[int, ...]
    """By the numbers under which the machine keeps them."""
