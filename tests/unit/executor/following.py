"""Tasks that an executor follows, brought to where a test begins; and what time does to them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from batchtask_api import (
    BatchTask,
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    Submission,
    names,
)
from batchtask_executor.cluster.manifest import task_name
from batchtask_executor.executor import _Parts
from batchtask_executor.following.inquiries import Looked
from batchtask_executor.following.rows import Row
from batchtask_executor.following.table import Entry
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks

INTENT = Submission(attempt=1, job_name="j", by="c", at=datetime(2026, 1, 1, tzinfo=UTC), queue="q")
SUBMITTED = {"phase": Phase.RUNNABLE, "submission": INTENT, "job_id": "1a2b"}


def condition(kind: ConditionType, reason: Reason, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=ConditionStatus.TRUE,
        reason=reason,
        message=message,
        last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def failed(reason: Reason = Reason.JOB_FAILED) -> dict[str, Any]:
    ended = condition(ConditionType.SUCCEEDED, reason)
    ended = ended.model_copy(update={"status": ConditionStatus.FALSE})
    return {
        "phase": Phase.FAILED,
        "submission": INTENT,
        "conditions": (ended,),
        "status_reason": "Host EC2 (i-1) terminated.",
    }


@dataclass(frozen=True)
class Followed:
    """A task instance that was queued, its row, and the BatchTasks that stand for it."""

    executor: ExecutorOver
    workload: Any
    id: str
    """The external id that its BatchTasks are named by."""

    @property
    def cluster(self) -> FakeBatchTasks:
        return cluster_of(self.executor)

    @property
    def ti(self) -> Any:
        return self.workload.ti

    @property
    def key(self) -> Any:
        return self.workload.ti.key

    @property
    def name(self) -> str:
        """Of its first BatchTask."""
        return self.again(0)

    def again(self, restarts: int) -> str:
        """The name of the BatchTask that was made after so many that never started."""
        return task_name(self.id, restarts)

    # -- its row ----------------------------------------------------------------------------------

    @property
    def row(self) -> Row:
        return self.executor.rows.of(self.ti)

    def change(self, **changes: Any) -> None:
        """Change the row."""
        self.executor.rows.change(self.ti, **changes)

    def start(self) -> None:
        """Do as the execution API when the job's process starts the task."""
        self.executor.rows.start(self.ti)

    # -- its BatchTask ----------------------------------------------------------------------------

    @property
    def stored(self) -> BatchTask:
        """As it is in the cluster."""
        return self.cluster.objects[self.name]

    @property
    def seen(self) -> BatchTask | None:
        """As the executor's cache has it."""
        return parts(self.executor).cache.get(self.name)

    @property
    def phase(self) -> Phase | None:
        """As the executor's cache has it."""
        return self.seen.status.phase if self.seen else None

    def set_status(self, **changes: Any) -> None:
        """Do as the controller."""
        self.cluster.set_status(self.name, **changes)

    def is_cancelled(self) -> bool:
        return self.name in self.cluster.objects and self.stored.spec.cancel

    def age(self, *, hours: int = 1) -> None:
        """Let the task be of so many hours ago."""
        then = datetime.now(UTC) - timedelta(hours=hours)
        annotations = {
            **self.stored.metadata.annotations,
            names.ANNOTATION_QUEUED_AT: then.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        metadata = self.stored.metadata.model_copy(update={"annotations": annotations})
        self.cluster.objects[self.name] = self.stored.model_copy(update={"metadata": metadata})
        self.set_status()

    # -- what the executor knows of it ------------------------------------------------------------

    @property
    def entry(self) -> Entry:
        found = self.executor._table.current(self.key)
        assert found
        return found

    def asked(self) -> Looked:
        """Let a question about its row be under way, and return what the row says now."""
        self.entry.asked_about = None
        return Looked(self.id, self.row)


# -- bring one there ------------------------------------------------------------------------------


def queued(executor: ExecutorOver, **of: Any) -> Followed:
    workload = executor.queue(**of)
    given: Any = workload.ti.external_executor_id
    return Followed(executor, workload, given)


def written(executor: ExecutorOver, **of: Any) -> Followed:
    followed = queued(executor, **of)
    executor.loop_until(lambda: followed.name in followed.cluster.secrets)
    settle(executor)
    return followed


def waiting(executor: ExecutorOver, **of: Any) -> Followed:
    followed = written(executor, **of)
    followed.set_status(**SUBMITTED)
    executor.loop_until(lambda: followed.phase is Phase.RUNNABLE)
    return followed


def running(executor: ExecutorOver, **of: Any) -> Followed:
    followed = written(executor, **of)
    followed.set_status(**SUBMITTED | {"phase": Phase.RUNNING})
    followed.start()
    executor.loop_until(lambda: followed.phase is Phase.RUNNING)
    return followed


def queued_under_another_id(executor: ExecutorOver, **of: Any) -> Followed:
    """Queue one whose id the executor has to choose, and let Airflow not take that id in."""
    executor.drops_events = True
    workload = executor.queue(**of)
    _, chosen = executor.loop()[workload.ti.key]
    followed = Followed(executor, workload, chosen)
    executor.loop_until(lambda: followed.name in followed.cluster.secrets)
    return followed


def queued_again(executor: ExecutorOver, first: Followed) -> Followed:
    """Queue it again with the id that it had, as Airflow does on some paths."""
    return queued_under_another_id(executor, id=first.ti.id, external_executor_id=first.id)


def settle(executor: ExecutorOver) -> None:
    """Let the writer end its work, and the executor take that in."""
    writer = parts(executor).writer
    executor.loop_until(lambda: not writer._open)
    executor.loop()


def parts(executor: ExecutorOver) -> _Parts:
    """Its threads and what they share; it must have been started."""
    assert executor._parts
    return executor._parts


def cluster_of(executor: ExecutorOver) -> FakeBatchTasks:
    assert isinstance(executor._given, FakeBatchTasks)
    return executor._given


# -- time -----------------------------------------------------------------------------------------


def looks(executor: ExecutorOver, seconds: float = 16) -> dict[Any, tuple[str | None, Any]]:
    """Let so much time go by, and the executor look at every row and take in the answers."""
    events: dict[Any, tuple[str | None, Any]] = {}
    for passing in (seconds, 0.0):
        executor.pass_time(passing)
        events |= executor.loop()
        events |= executor.loop_until(lambda: not any(each.is_asked for each in executor._table))
    return events


def looks_at_strays(executor: ExecutorOver) -> None:
    cache = parts(executor).cache
    executor.loop_until(lambda: cache.last_complete)
    before = executor.rows.requests["find"]
    executor.pass_time(61)
    executor.loop_until(lambda: executor.rows.requests["find"] > before)
    for _ in range(5):
        executor.loop()


def answer(executor: ExecutorOver, looked: Looked) -> None:
    """Let this be the answer that comes next."""
    parts(executor).inquiries._answers.put(looked)


# -- one scheduler after the other ----------------------------------------------------------------


def take_over(executor: ExecutorOver, heir: ExecutorOver, *adopted: Followed) -> None:
    """End the one and start the other, whose scheduler has it adopt these."""
    executor.end()
    executor.wait_for_the_end()
    cluster_of(executor).reopen()
    heir.start()
    assert list(heir.try_adopt_task_instances([each.ti for each in adopted])) == []
    for each in adopted:
        each.change(queued_by=2)
