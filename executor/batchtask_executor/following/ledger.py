r"""What is to be done about a task, by its row in Airflow and what is seen of it in the cluster.

Airflow tells an executor little: that a user marked a task instance, cleared it, or that another
scheduler has it, stands in the row alone. How the row stands to our task::

    GONE        it isn't there, has another external id or try, or the key was queued again here
    OVER        it has our id, and Airflow waits for nothing from it: finished, deferred, cleared
    THEIRS      another scheduler's job has it
    QUEUED, RUNNING, RESTARTING      it has our id and is in that state

What the cluster shows, by how the row stands::

                 QUEUED    RUNNING   RESTARTING  THEIRS    OVER      GONE
    no task      Write     Keep      Keep        Yield     Free      Free
    Queued       wait      Keep      Stop        Yield     Cancel    Cancel
    Running      Keep      Keep      Stop        Yield     Cancel    Cancel
    Succeeded    Report    Report    Report      Yield     Free      Free
    Failed       again     Report    Report      Yield     Free      Free
    Stopped      Report    Report    Report      Yield     Free      Free

    wait   over `queued_timeout`: TimeOut; its workload is to be written: Write; else Keep
    Keep   Tell, where a job is there and the row has the id that ours replaced: Airflow has not
           taken in ours yet
    again  the task never started: Restart, at most `start_retries` times; then Report
    Stop, Cancel   at once if the task never started, else once it has been so for `finish_grace`
           (a good task's process uploads its logs after its row is finished); before that: Hold
    Yield  Hold while the adoption that may be under way commits; then Free
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from batchtask_executor.following.outcome import (
    End,
    Failed,
    Outcome,
    Queued,
    Running,
    Stopped,
    Succeeded,
)
from batchtask_executor.following.rows import Row

HANDOVER: Final = timedelta(seconds=60)
"""How long Airflow's transaction that makes a task ours may take, and its words about an id."""


class Standing(enum.Enum):
    """How the row stands to our task."""

    QUEUED = "queued"
    RUNNING = "running"
    RESTARTING = "restarting"
    """Cleared while it ran: Airflow waits for the end of its process."""
    THEIRS = "theirs"
    OVER = "over"
    GONE = "gone"


_LIVE: Final = {
    each.value: each for each in (Standing.QUEUED, Standing.RUNNING, Standing.RESTARTING)
}
"""Airflow's states in which it waits for an executor's word."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the decisions go by."""

    start_retries: int
    finish_grace: timedelta
    queued_timeout: timedelta | None = None
    scheduler: int | None = None
    """The id of this scheduler's job, where there is one."""


@dataclass(frozen=True, slots=True)
class Known:
    """What this executor knows of a task."""

    external_ids: frozenset[str | None]
    """Its own, and the one that it replaced, if the row came with another."""
    external_id: str
    try_number: int | None = None
    """None while it is adopted and its row wasn't read yet."""
    is_current: bool = True
    """Its key was not queued again here."""
    seen: Outcome | None = None
    """What the cluster shows; None if no task is there."""
    is_adopted: bool = False
    """Another scheduler created it, and may have died before it wrote the workload."""
    restarts: int = 0
    unwanted_since: datetime | None = None
    """Since when its row has been found to wait for it no more."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing: it is as it should be."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing yet: it isn't wanted, but is given time."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell Airflow the id again."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write the task, where it isn't there, and its workload with a fresh token."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Make another task of it: this one never started."""

    info: str


@dataclass(frozen=True, slots=True)
class Report:
    """Tell Airflow how it ended, until the row changes."""

    end: End


@dataclass(frozen=True, slots=True)
class TimeOut:
    """Cancel it and tell Airflow that it failed: it has waited for too long."""

    info: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Have its job end, and tell Airflow when it has."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Have its job end, and forget it."""


@dataclass(frozen=True, slots=True)
class Free:
    """Forget it: nobody waits for it."""


Verdict = Keep | Hold | Tell | Write | Restart | Report | TimeOut | Stop | Cancel | Free


def standing(row: Row | None, known: Known, terms: Terms) -> Standing:
    """Say how the row stands to the task."""
    if row is None or not known.is_current or row.external_id not in known.external_ids:
        return Standing.GONE
    if known.try_number is not None and row.try_number != known.try_number:
        return Standing.GONE
    live = _LIVE.get(row.state or "")
    if live is None:
        return Standing.OVER
    if None not in (terms.scheduler, row.queued_by) and row.queued_by != terms.scheduler:
        return Standing.THEIRS
    return live


def verdict(row: Row | None, known: Known, terms: Terms, now: datetime) -> Verdict:
    """Decide; the table stands at the head of this module."""
    now_stands = standing(row, known, terms)
    seen = known.seen
    if now_stands is Standing.THEIRS:
        return Free() if _lasts(known, HANDOVER, now) else Hold()
    if now_stands in (Standing.OVER, Standing.GONE):
        is_live = isinstance(seen, Queued | Running)
        return _in_time(Cancel(), row, known, terms, now) if is_live else Free()
    match seen:
        case None:
            return Write() if now_stands is Standing.QUEUED else Keep()
        case Queued() | Running() if now_stands is Standing.RESTARTING:
            return _in_time(Stop(), row, known, terms, now)
        case Queued() if now_stands is Standing.QUEUED:
            return _wait(row, known, terms, now) or _keep(row, known)
        case Queued() | Running():
            return _keep(row, known)
        case Failed() if now_stands is Standing.QUEUED and known.restarts < terms.start_retries:
            return Restart(seen.info)
        case Succeeded() | Failed() | Stopped():
            return Report(seen)
    assert_never(seen)


def _keep(row: Row | None, known: Known) -> Verdict:
    return Tell() if row and row.external_id != known.external_id else Keep()


def _wait(row: Row | None, known: Known, terms: Terms, now: datetime) -> Verdict | None:
    """What a task that waits for its job to start needs, if anything."""
    waits = known.seen
    if row is None or not isinstance(waits, Queued):
        return None
    limit, since = terms.queued_timeout, row.queued_at
    if limit is not None and since is not None and now - since >= limit:
        why = waits.why or "AWS Batch gives no reason"
        seconds = limit.total_seconds()
        return TimeOut(f"its job did not start within queued_timeout, {seconds:.0f} s: {why}")
    if waits.lacks_token or (known.is_adopted and not waits.is_submitted):
        return Write()
    return None


def _in_time(
    end: Stop | Cancel, row: Row | None, known: Known, terms: Terms, now: datetime
) -> Verdict:
    is_time = _never_started(row, known) or _lasts(known, terms.finish_grace, now)
    return end if is_time else Hold()


def _never_started(row: Row | None, known: Known) -> bool:
    """Whether no process of this task can be at work, whatever the cluster doesn't show yet.

    What the cluster shows is as old as the controller's last look at AWS: a short task may be over
    while its job still seems to start. The row tells, unless it was queued again since.
    """
    if not isinstance(known.seen, Queued):
        return False
    if not known.seen.is_submitted:
        return True
    is_as_it_was = row is not None and row.external_id in {None, *known.external_ids}
    return is_as_it_was and row is not None and not row.has_started


def _lasts(known: Known, limit: timedelta, now: datetime) -> bool:
    return now - (known.unwanted_since or now) >= limit
