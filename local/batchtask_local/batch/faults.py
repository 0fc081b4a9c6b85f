"""What can be made to go wrong, as one value, and the gate that makes it go wrong."""

import fnmatch
import random
from collections import Counter
from collections.abc import Callable, Collection
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from batchtask_local.batch import errors
from batchtask_local.batch.errors import ApiError


class Fault(BaseModel):
    """What every fault has: which calls it befalls, and how many of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str = "*"
    """The operation's name, such as SubmitJob; `*` for every one."""
    job_name: str = "*"
    """Only calls with such a jobName, as a shell pattern; `*` takes calls without one too."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How many calls it befalls; None: every one, until the faults are set anew."""

    def matches(self, operation: str, job_name: str | None) -> bool:
        """Tell whether it befalls such a call, if it still befalls any."""
        if self.operation not in {"*", operation}:
            return False
        return self.job_name == "*" or fnmatch.fnmatchcase(job_name or "", self.job_name)


class ErrorFault(Fault):
    """The call has no effect and is answered with an error."""

    code: str = "ServerException"
    status: Annotated[int, Field(ge=400, le=599)] = 500
    message: str = "local Batch was told to fail this call"


class ReplyFault(Fault):
    """The call takes effect, and its reply is spoiled: accept, then time out."""

    operation: str = "SubmitJob"
    outcome: Literal["drop", "delay", "unreadable", "error"]
    """drop: the connection is closed instead of a reply; delay: the reply comes after `seconds`;
    unreadable: the reply isn't JSON; error: the reply is a ServerException, status 500."""
    takes_effect: bool = True
    """False: the call is forgotten before it has done anything."""
    seconds: Annotated[float, Field(ge=0)] = 60.0
    """How late a delayed reply is, in seconds of the machine's clock."""


class Faults(BaseModel):
    """Everything that is switched on. Without any, local Batch answers at once and in full.

    Latency, throttling and late replies are in the machine's seconds, since clients feel them;
    the visibility lag is AWS's own time, so it is in Batch's seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency: Annotated[float, Field(ge=0)] = 0.0
    """Seconds before every reply."""
    jitter: Annotated[float, Field(ge=0)] = 0.0
    """Up to so many seconds more, evenly spread."""
    seed: int = 0
    """Of the jitter."""
    throttle: Annotated[float, Field(gt=0)] | None = None
    """So many calls a second are served in all, and as many at once; the rest get a 429."""
    neighbor: Annotated[float, Field(ge=0)] = 0.0
    """So many of them another client of the account uses."""
    retry_after: Annotated[float, Field(ge=0)] | None = None
    """What a 429's Retry-After header says, in seconds; None: it has none."""
    errors: tuple[ErrorFault, ...] = ()
    replies: tuple[ReplyFault, ...] = ()
    visibility_lag: Annotated[float, Field(ge=0)] = 0.0
    """For so many of Batch's seconds a new job is in no DescribeJobs and no ListJobs."""
    expired: bool = False
    """Every call is refused since its credentials have expired."""
    denied_queues: frozenset[str] = frozenset()
    """Names of queues to which nothing can be submitted: AccessDeniedException."""

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.throttle is not None and self.neighbor >= self.throttle:
            raise ValueError("neighbor must leave some of throttle: it must be smaller")
        return self


_FaultT = TypeVar("_FaultT", bound=Fault)


class FaultGate:
    """Decides for each call what befalls it.

    Args:
        faults: what is switched on.
        operations: the names that faults may use.
        monotonic: the machine's time in seconds.

    Raises:
        ValueError: a fault names an operation that there isn't.
    """

    def __init__(
        self, faults: Faults, operations: Collection[str], monotonic: Callable[[], float]
    ) -> None:
        for fault in (*faults.errors, *faults.replies):
            if fault.operation != "*" and fault.operation not in operations:
                raise ValueError(f"there is no operation {fault.operation!r}")
        self.faults = faults
        self._monotonic = monotonic
        self._random = random.Random(faults.seed)  # noqa: S311 - jitter, not a secret
        self._befallen: Counter[tuple[type[Fault], int]] = Counter()
        self._rate = (faults.throttle or 0) - faults.neighbor
        self._tokens = max(1.0, self._rate)
        self._filled_at = monotonic()

    def latency_seconds(self) -> float:
        """Return how long to wait before the next reply."""
        return self.faults.latency + self.faults.jitter * self._random.random()

    def refusal(self) -> ApiError | None:
        """Return the error of a call that isn't even looked at."""
        if self.faults.throttle is not None and not self._take_token():
            return errors.throttled(self.faults.retry_after)
        if self.faults.expired:
            return errors.credentials_expired()
        return None

    def error(self, operation: str, job_name: str | None) -> ApiError | None:
        """Return the error that such a call is answered with, and count it."""
        fault = self._next(self.faults.errors, operation, job_name)
        return None if fault is None else ApiError(fault.code, fault.message, fault.status)

    def spoiled_reply(self, operation: str, job_name: str | None) -> ReplyFault | None:
        """Return how such a call's reply is spoiled, and count it."""
        return self._next(self.faults.replies, operation, job_name)

    def _next(
        self, faults: tuple[_FaultT, ...], operation: str, job_name: str | None
    ) -> _FaultT | None:
        for index, fault in enumerate(faults):
            key = (type(fault), index)
            is_left = fault.times is None or self._befallen[key] < fault.times
            if is_left and fault.matches(operation, job_name):
                self._befallen[key] += 1
                return fault
        return None

    def _take_token(self) -> bool:
        now = self._monotonic()
        burst = max(1.0, self._rate)
        self._tokens = min(burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
