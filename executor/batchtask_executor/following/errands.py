"""Callbacks and connection tests on their way: Airflow runs each once, under an id of its own."""

from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from batchtask_api import BatchTask
from batchtask_executor.cluster.manifest import named
from batchtask_executor.cluster.orders import Order, Rejected, Report, Written
from batchtask_executor.following.inquiries import Await
from batchtask_executor.following.outcome import End, Outcome, Stopped, gone, outcome
from batchtask_executor.following.raised import raised
from batchtask_executor.following.words import Ended, Freed
from batchtask_executor.jobs.drafts import Drafts
from batchtask_executor.jobs.tokens import AirflowWorkload
from batchtask_executor.jobs.workload import FIRST, callback_id_of, identity_of_other


@dataclass(slots=True)
class _Errand:
    key: Hashable
    seen_since: int | None = None
    """The cache's listings begun when it was known to be in the cluster; None before."""


@dataclass(slots=True)
class _Doubt:
    """The end of a callback that Airflow may have been told of."""

    ended: Ended
    is_asked: bool = False


class Errands:
    """Knows which task stands for which of them.

    Nobody adopts them, and nothing about one can be old: a second task is never made for it. So
    the end of a callback is told even if another scheduler queued it; but one that this scheduler
    didn't follow to its end is told only if Airflow waits for it: others may have told it before.

    Args:
        key_of_callback: Airflow's key of the callback of an id.
    """

    def __init__(self, key_of_callback: Callable[[str], Hashable]) -> None:
        self._key_of_callback = key_of_callback
        self._under_way: dict[str, _Errand] = {}
        self._doubts: dict[str, _Doubt] = {}
        """Both by the names of their tasks."""

    def enter(self, workload: AirflowWorkload, key: Hashable, drafts: Drafts) -> Order:
        """Take one in, and say what is to be written."""
        identity = identity_of_other(workload)
        self._under_way[identity.name] = _Errand(key)
        return Order(identity, FIRST, partial(drafts.draft, workload))

    def take_report(
        self, report: Report, listings_begun: int, get: Callable[[str], BatchTask | None]
    ) -> Ended | None:
        """Take in what the writer has done about one of them; it may have ended long ago."""
        errand = self._under_way.get(report.name)
        match report:
            case Written() if errand:
                errand.seen_since = listings_begun
                task = get(report.name)
                return self.take_task(task, outcome(task)) if task else None
            case Rejected(message=message) if errand:
                return self._over(report.name, Stopped(message))
        return None

    def take_task(self, task: BatchTask, now: Outcome) -> Ended | None:
        """Take in how far a task is, if it stands for one of them."""
        name = task.metadata.name
        if not isinstance(now, End):
            return None
        end = _told(now, raised(task.status.log_tail or ()))
        if name in self._under_way:
            return self._over(name, end)
        if callback := _callback_of(name):
            self._doubts.setdefault(name, _Doubt(Ended(self._key_of_callback(callback), end)))
        return None

    def sweep(self, complete: int, get: Callable[[str], BatchTask | None]) -> Iterator[Ended]:
        """End what a complete list, begun after it was written, doesn't show."""
        for name, errand in list(self._under_way.items()):
            was_listed = errand.seen_since is not None and errand.seen_since < complete
            if not was_listed or get(name) is not None:
                continue
            over = self._over(name, gone(name))
            if _callback_of(name):
                self._doubts[name] = _Doubt(over)
            else:
                yield over

    def left(self, running: Set[object]) -> Sequence[str]:
        """Forget those that Airflow has ended by itself, and return their tasks' names."""
        found = [name for name, errand in self._under_way.items() if errand.key not in running]
        for name in found:
            del self._under_way[name]
        return found

    def questions(self) -> Iterator[Await]:
        """What is to be asked of Airflow's database."""
        for name, doubt in self._doubts.items():
            if not doubt.is_asked and (callback := _callback_of(name)):
                doubt.is_asked = True
                yield Await(name, callback)

    def take_answer(self, name: str, *, is_awaited: bool) -> Ended | Freed | None:
        """Take in whether Airflow waits for the end of a callback."""
        doubt = self._doubts.pop(name, None)
        if doubt is None:
            return None
        return doubt.ended if is_awaited else Freed(doubt.ended.key)

    def _over(self, name: str, end: End) -> Ended:
        return Ended(self._under_way.pop(name).key, end)


def _callback_of(name: str) -> str | None:
    found = named(name)
    return callback_id_of(found[0]) if found else None


def _told(end: End, why: str | None) -> End:
    """The end with what the callback raised: Airflow's UI has no log of it to look in."""
    return end if why is None else replace(end, info=f"{why}. {end.info}")
