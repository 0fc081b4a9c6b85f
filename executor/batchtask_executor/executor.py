"""The executor that Airflow's scheduler loads: each task instance becomes a BatchTask."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteTask
from airflow.models.taskinstancekey import TaskInstanceKey

from batchtask_api import BatchTask, names, submit_job
from batchtask_executor.backoff import Backoff
from batchtask_executor.cache import Change, TaskCache
from batchtask_executor.config import DEFAULT_LOG_GROUP, SECTION, Settings, SettingsError
from batchtask_executor.drafts import Drafts, airflow_identity
from batchtask_executor.job import BadJob, JobBuilder
from batchtask_executor.logs import TaskLogs, connect
from batchtask_executor.manifest import (
    Identity,
    external_id,
    external_id_from,
    external_id_of,
    task_name,
)
from batchtask_executor.milestones import Milestones
from batchtask_executor.orders import Delayed, Order, Rejected, Renamed, Report, Written
from batchtask_executor.outcome import Failed, Outcome, Succeeded, gone, outcome, vanished
from batchtask_executor.table import Entry, TaskTable
from batchtask_executor.tasks import BatchTasks
from batchtask_executor.tokens import queuing
from batchtask_executor.writer import Writer

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class _Parts:
    """What start() makes."""

    settings: Settings
    drafts: Drafts
    tasks: BatchTasks
    writer: Writer
    cache: TaskCache


class BatchTaskExecutor(BaseExecutor):
    """Hands each task instance to AWS Batch by way of a BatchTask in Kubernetes.

    Nothing that the scheduler calls here waits for anything or raises: threads of `writer.py`
    write to Kubernetes, a thread of `cache.py` reads from it, and `sync()` compares notes.
    """

    pre_assigns_external_executor_id: ClassVar[bool] = True
    """Airflow commits a UUID together with QUEUED: the task is named by it."""

    backoff: ClassVar[Backoff] = Backoff()
    """Between tries at an API server that doesn't answer, or doesn't take something for now."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table: TaskTable[TaskInstanceKey] = TaskTable()
        self._parts: _Parts | None = None
        self._swept = 0
        self._kept_events: list[object] = []
        self._trouble = f"{type(self).__name__} was not started"
        self._task_logs = TaskLogs(self._settings, self.connect)

    def connect(self, settings: Settings) -> BatchTasks:
        """Make the port to the cluster; no connection is opened before it is used."""
        return connect(settings)

    def start(self) -> None:
        """Start the threads. Bad options don't stop the scheduler: they fail the tasks."""
        try:
            self._parts = self._assemble()
            self._parts.writer.start()
            self._parts.cache.start()
        except (SettingsError, BadJob) as error:
            self._trouble = f"{error} (restart the scheduler after changing it)"
            self.log.error("No task can run on AWS Batch: %s", error)  # noqa: TRY400 - no bug
        except Exception as error:
            self._trouble = f"the executor didn't start: {type(error).__name__}: {error}"
            self.log.exception("The executor didn't start")

    def _settings(self) -> Settings:
        return Settings.read(lambda name: self.conf.get(SECTION, name, fallback=None))

    def _assemble(self) -> _Parts:
        settings = self._settings()
        builder = JobBuilder(settings, submit_job.schema())
        for note in builder.notes:
            self.log.warning("%s", note)
        tasks = self.connect(settings)
        drafts = Drafts(settings, builder, lambda: self.jwt_generator)
        writer = Writer(tasks, backoff=self.backoff)
        return _Parts(settings, drafts, tasks, writer, TaskCache(tasks, backoff=self.backoff))

    def queue_workload(self, workload: "ExecutorWorkload", session: "Session") -> None:
        """Take a workload in; what can't be run fails by itself, and stops nothing."""
        if isinstance(workload, ExecuteTask):
            super().queue_workload(workload, session)
            return
        try:
            self._refuse(workload)
        except Exception:
            self.log.exception("A %s can't be refused", type(workload).__name__)

    def _refuse(self, workload: Any) -> None:
        kind = type(workload).__name__
        info = f"BatchTaskExecutor runs no {kind}; give it to another executor"
        self.fail(_key_of(workload), info=info)

    def _process_workloads(self, workload_items: Sequence["ExecutorWorkload"]) -> None:
        if self._parts:
            self._guard(self._take_reports, self._parts)  # so that what is written is known
        orders: list[Order] = []
        for workload in workload_items:
            if not isinstance(workload, ExecuteTask):
                continue  # queue_workload lets no other in
            try:
                orders += self._orders(workload)
            except Exception as error:
                self.log.exception("A task instance can't be handed over")
                self.fail(workload.ti.key, info=f"it can't be handed over: {error!r}")
        if self._parts and orders:
            self._parts.writer.submit(orders)  # all at once: its threads compete with this one

    def _orders(self, workload: ExecuteTask) -> Sequence[Order]:
        """Enter a workload under an id that no other queuing has, and say what is to be written."""
        ti = workload.ti
        key = ti.key
        self.queued_tasks.pop(key, None)
        self.running.add(key)
        if self._parts is None:
            self._fail(key, "batchtask refused", self._trouble)
            return ()
        this_queuing = queuing(workload.token)
        given = external_id(ti.external_executor_id)
        chosen = given if given and given not in self._table else external_id_from(this_queuing)
        if chosen != given:
            self.running_state(key, chosen)  # all this does is to write the id
        before = self._table.add(chosen, key, this_queuing)
        if before and before.seen_since is None:
            self._drop(before)  # it was never written, and nobody waits for it any more
        identity = Identity(chosen, this_queuing, airflow_identity(ti, self._name()))
        draft = partial(self._parts.drafts.draft, workload)
        return (Order(identity, ti.priority_weight, draft),)

    def _name(self) -> str | None:
        return (self.name.alias or self.name.module_path) if self.name else None

    def sync(self) -> None:
        """Take in what the threads have reported; no I/O."""
        if not self._task_event_logs:
            self._kept_events.clear()  # the scheduler has saved them
        parts = self._parts
        if parts is None:
            return
        self._guard(self._take_reports, parts)
        for change in parts.cache.drain():
            self._guard(self._take_change, change)
        self._guard(self._resolve_adopted, parts)
        self._guard(self._sweep, parts)
        self._guard(self._cancel_left)

    def _take_reports(self, parts: _Parts) -> None:
        for report in parts.writer.drain():
            self._guard(self._take_report, parts, report)

    def _take_report(self, parts: _Parts, report: Report) -> None:
        if isinstance(report, Renamed):
            self._rename(report)
            return
        entry = self._table.get(report.external_id)
        if entry is None or entry.key is None:
            return  # ended or revoked meanwhile
        name = task_name(report.external_id)
        match report:
            case Written(notes=notes):
                entry.seen_since = parts.cache.listings_begun
                where = parts.settings.namespace
                text = f"BatchTask {name}: see kubectl -n {where} get bt {name}"
                self._tell(entry, "batchtask created", "; ".join([text, *notes]))
                if task := parts.cache.get(name):
                    self._observe(task, self._outcome(task))
            case Rejected(message=message):
                self._conclude(report.external_id, Failed(message), "batchtask refused")
            case Delayed(message=message):
                self._tell(entry, "batchtask delayed", f"{message}; will retry")

    def _rename(self, report: Renamed) -> None:
        entry = self._table.rename(report.external_id, report.new_external_id)
        if entry and entry.key and self._table.is_current(entry):
            self.running_state(entry.key, report.new_external_id)

    def _take_change(self, change: Change) -> None:
        task = change.task
        self._observe(task, self._vanished(task) if change.is_gone else self._outcome(task))

    def _observe(self, task: BatchTask, now: Outcome) -> None:
        """Tell Airflow of a task's end, if the task is what we know by its name."""
        entry = self._entry_of(task)
        if entry:
            self._guard(self._tell_milestones, entry, task)
        if entry and isinstance(now, Succeeded | Failed):
            self._conclude(entry.external_id, now, "batchtask failed")

    def _tell_milestones(self, entry: Entry[TaskInstanceKey], task: BatchTask) -> None:
        for milestone in entry.milestones.passed(task, self._log_group()):
            self._tell(entry, milestone.event, milestone.text)

    def _outcome(self, task: BatchTask) -> Outcome:
        return outcome(task, self._log_group())

    def _vanished(self, task: BatchTask) -> Outcome:
        return vanished(task, self._log_group())

    def _log_group(self) -> str:
        return self._parts.settings.log_group if self._parts else DEFAULT_LOG_GROUP

    def _conclude(self, known_by: str, now: Succeeded | Failed, event: str) -> None:
        key = self._table.end(known_by)
        if key is None or key not in self.running:
            return  # a word about an earlier queuing, or Airflow has ended it by itself
        if isinstance(now, Succeeded):
            self.success(key, info=now.info)
        else:
            self._fail(key, event, now.info)

    def _entry_of(self, task: BatchTask) -> Entry[TaskInstanceKey] | None:
        entry = self._table.get(external_id_of(task.metadata.name) or "")
        if entry is None or entry.key is None:
            return None
        its_queuing = task.metadata.annotations.get(names.ANNOTATION_QUEUING)
        return entry if entry.queuing in (None, its_queuing) else None

    def _resolve_adopted(self, parts: _Parts) -> None:
        """Find the adopted ids in the cluster: what a scheduler before this one has created."""
        for adopted in self._table.unresolved():
            task = parts.cache.get(task_name(adopted))
            if task is None or task.spec.airflow is None:
                continue
            airflow = task.spec.airflow
            key = TaskInstanceKey(
                airflow.dag_id,
                airflow.task_id,
                airflow.run_id,
                airflow.try_number,
                airflow.map_index,
            )
            if self._table.resolve(adopted, key):
                self.running.add(key)
            if entry := self._table.get(adopted):
                entry.milestones = Milestones.since(task)
                entry.queuing = task.metadata.annotations.get(names.ANNOTATION_QUEUING)
                entry.seen_since = parts.cache.listings_begun
            self._observe(task, self._outcome(task))

    def _sweep(self, parts: _Parts) -> None:
        """End what a complete list, begun after it was written, doesn't show."""
        complete = parts.cache.last_complete
        if complete == self._swept:
            return
        self._swept = complete
        for entry in self._table:
            if entry.seen_since is None or entry.seen_since >= complete:
                continue
            name = task_name(entry.external_id)
            task = parts.cache.get(name)
            if task is None or self._entry_of(task) is not entry:
                self._conclude(entry.external_id, gone(name), "batchtask failed")

    def _cancel_left(self) -> None:
        """Cancel what left `running` otherwise: Airflow drops a task without heartbeat so."""
        for entry in self._table.left(self.running):
            self.log.warning("Cancelling BatchTask %s", task_name(entry.external_id))
            self._drop(entry)

    def revoke_task(self, *, ti: "TaskInstance") -> None:
        """Forget a task that is stuck in queued, and have its job end."""
        self._guard(self._revoke, ti)

    def _revoke(self, ti: "TaskInstance") -> None:
        if self._parts:
            self._take_reports(self._parts)  # its id may just have changed
        self.queued_tasks.pop(ti.key, None)
        self.running.discard(ti.key)
        if entry := self._table.current(ti.key):
            self._drop(entry)
        elif self._parts and (known_by := external_id(ti.external_executor_id)):
            self._table.end(known_by)
            self._parts.writer.cancel(known_by)

    def try_adopt_task_instances(self, tis: Sequence["TaskInstance"]) -> Sequence["TaskInstance"]:
        """Adopt whatever has an external id of ours; it is found in the cluster later."""
        return [ti for ti in tis if not self._adopt(ti)]

    def _adopt(self, ti: "TaskInstance") -> bool:
        try:
            adopted = external_id(ti.external_executor_id)
        except Exception:
            self.log.exception("A task instance can't be adopted")
            return False
        if adopted is None:
            return False
        if adopted not in self._table:
            self._table.adopt(adopted)
        return True

    def get_task_log(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
        """What the BatchTask of a running task says; asked in the API server, without start()."""
        return self._task_logs.of_running(ti, try_number)

    def end(self) -> None:
        """Stop the threads; jobs go on, for the next scheduler to adopt."""
        if self._parts:
            self._parts.writer.stop()
            self._parts.cache.stop()
            self._parts.tasks.close()

    def terminate(self) -> None:
        """Stop the threads, as end() does."""
        self.end()

    def log_task_event(self, *, event: str, extra: str, ti_key: Any) -> None:
        """Have the scheduler save an event of the task, for its user to see.

        The scheduler pops these into a generator, and SQLAlchemy's bulk_save_objects holds what
        it is given by weak references alone: without another reference every row is lost.
        """
        try:
            super().log_task_event(event=event, extra=extra, ti_key=ti_key)
        except Exception:  # no reason for what the event is about to go unsaid
            self.log.exception("An event of %s can't be logged: %s", ti_key, event)
        if self._task_event_logs:
            self._kept_events.append(self._task_event_logs[-1])

    def _drop(self, entry: Entry[TaskInstanceKey]) -> None:
        self._table.end(entry.external_id)
        if self._parts:
            self._parts.writer.cancel(entry.external_id)

    def _fail(self, key: TaskInstanceKey, event: str, message: str) -> None:
        self.fail(key, info=message)
        self.log_task_event(event=event, extra=message, ti_key=key)

    def _tell(self, entry: Entry[TaskInstanceKey], event: str, text: str) -> None:
        if entry.key is not None and self._table.is_current(entry):
            self.log_task_event(event=event, extra=text, ti_key=entry.key)

    def _guard(self, step: Callable[..., object], *of: object) -> None:
        """Take a step; a bug in it must not end the scheduler."""
        try:
            step(*of)
        except Exception:
            self.log.exception("A bug in %s", getattr(step, "__name__", step))


def _key_of(workload: Any) -> Any:
    """The key of a workload that is no task instance, as the scheduler looks it up."""
    key = getattr(workload, "key", None)
    return uuid.UUID(workload.callback.id) if key is None else key  # Airflow 3.2 has no key here
