"""The executor that Airflow's scheduler loads: each task instance becomes a BatchTask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

from airflow._shared.observability.metrics import stats
from airflow.configuration import conf
from airflow.executors.base_executor import BaseExecutor

from batchtask_api import submit_job
from batchtask_executor import airflow_versions as versions
from batchtask_executor.backoff import Backoff
from batchtask_executor.checks import advice
from batchtask_executor.checks.checkup import Checkup
from batchtask_executor.checks.health import Premises
from batchtask_executor.claim.gate import Claimant, Gate, GatedTasks
from batchtask_executor.cli.configuration import listed
from batchtask_executor.cluster.cache import TaskCache
from batchtask_executor.cluster.manifest import external_id
from batchtask_executor.cluster.orders import Order
from batchtask_executor.cluster.tasks import BatchTasks
from batchtask_executor.cluster.writer import Writer
from batchtask_executor.config import SECTION, Settings, SettingsError
from batchtask_executor.following.inquiries import Inquiries
from batchtask_executor.following.ledger import Terms
from batchtask_executor.following.metrics import Metrics, Stats
from batchtask_executor.following.outcome import Succeeded
from batchtask_executor.following.rows import Rows
from batchtask_executor.following.table import TaskTable
from batchtask_executor.following.tracker import Tracker
from batchtask_executor.following.words import Ended, Freed, Holds, Identified, Noted, Word
from batchtask_executor.guard import guard
from batchtask_executor.jobs.drafts import Drafts
from batchtask_executor.jobs.environment import Executors
from batchtask_executor.jobs.job import BadJob, JobBuilder
from batchtask_executor.jobs.workload import Kind
from batchtask_executor.redaction import presentable
from batchtask_executor.view.logs import TaskLogs, connect

if TYPE_CHECKING:
    from airflow.executors.workloads import ExecutorWorkload
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class _Parts:
    """What start() makes."""

    tasks: BatchTasks
    checkup: Checkup
    gate: Gate
    writer: Writer
    cache: TaskCache
    inquiries: Inquiries
    tracker: Tracker

    def start(self) -> None:
        """Start the threads."""
        self.gate.start()
        self.writer.start()
        self.cache.start()
        self.inquiries.start()
        self.checkup.start()

    def stop(self) -> None:
        """Stop them, those that were never started as well; returns at once."""
        self.checkup.stop()
        self.gate.stop()
        self.writer.stop()
        self.cache.stop()
        self.inquiries.stop()
        self.tasks.close()


class BatchTaskExecutor(BaseExecutor):
    """Hands each task instance to AWS Batch by way of a BatchTask in Kubernetes.

    Nothing that the scheduler calls here waits for anything or raises: threads of `writer.py`
    write to Kubernetes, one of `cache.py` reads from it, one of `inquiries.py` reads Airflow's
    database, and `sync()` takes in what they bring.
    """

    pre_assigns_external_executor_id: ClassVar[bool] = True
    """Airflow commits a UUID together with QUEUED: the task is named by it."""

    supports_multi_team: bool = True
    supports_task_instance_uuid: bool = True
    """From Airflow 3.4 on a task instance is spoken of by its id."""

    stats: ClassVar[Stats] = getattr(stats, "Stats", stats)
    """The scheduler's own metrics: a class up to Airflow 3.2, later beside a module's functions."""

    backoff: ClassVar[Backoff] = Backoff()
    """Between tries at what doesn't answer, or doesn't take something for now."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._taken = versions.declare(self, tests_connections=False)
        self._table = TaskTable()
        self._parts: _Parts | None = None
        self._kept_events: list[object] = []
        self._trouble = f"{type(self).__name__} was not started"
        self._task_logs = TaskLogs(self._settings, self.connect)

    def connect(self, settings: Settings, answer_within: float | None = None) -> BatchTasks:
        """Make the port to the cluster; no connection is opened before it is used."""
        return connect(settings, answer_within)

    def read_rows(self) -> Rows:
        """Make the port to Airflow's database; no session is opened before it is used."""
        from batchtask_executor.following.database import DatabaseRows

        return DatabaseRows(lambda: self.jwt_generator, partial(versions.key_of, self))

    def now(self) -> datetime:
        """The time by which everything is decided."""
        return datetime.now(UTC)

    def claimant(self, settings: Settings) -> Claimant:
        """Make this Airflow's part in the claim of the instance; nothing is asked yet."""
        from batchtask_executor.claim.claimant import airflow_claimant

        return airflow_claimant(settings)

    def premises(self, settings: Settings) -> Premises:
        """Make the port to what the health check looks at; nothing is asked yet."""
        from batchtask_executor.cluster.kube_api import KubeApi
        from batchtask_executor.cluster.kube_premises import KubePremises

        return KubePremises(settings, KubeApi(settings, connections=1))

    def start(self) -> None:
        """Start the threads. Bad options don't stop the scheduler: they fail the tasks."""
        try:
            self._parts = self._assemble()
            self._parts.start()
        except (SettingsError, BadJob) as error:
            self._trouble = f"{error} (restart the scheduler after changing it)"
            self.log.error("No task can run on AWS Batch: %s", error)  # noqa: TRY400 - no bug
        except Exception as error:
            self._trouble = f"the executor didn't start: {type(error).__name__}: {error}"
            self.log.exception("The executor didn't start")
            self.end()  # some of its threads may have
            self._parts = None

    def _settings(self) -> Settings:
        return Settings.read(lambda name: self._option(SECTION, name))

    def _assemble(self) -> _Parts:
        settings = self._settings()
        builder = JobBuilder(settings, submit_job.schema())
        for warning in (
            *advice.unread(listed(SECTION)),
            *builder.notes,
            *advice.warnings(self._option, settings),
        ):
            self.log.warning("%s", warning)
        for reminder in advice.reminders(self._option):
            self.log.info("%s", reminder)
        self._taken = versions.declare(self, tests_connections=settings.connection_tests)
        tasks = self.connect(settings)
        gate = Gate(self.claimant(settings), settings, backoff=self.backoff)
        writer = Writer(GatedTasks(tasks, gate), backoff=self.backoff)
        cache = TaskCache(tasks, backoff=self.backoff)
        inquiries = Inquiries(self.read_rows(), backoff=self.backoff)
        tracker = Tracker(
            self._table,
            self._terms(settings),
            drafts=Drafts(settings, builder, lambda: self.jwt_generator, self._executors()),
            writer=writer,
            cache=cache,
            inquiries=inquiries,
            metrics=Metrics(self.stats),
            executor_name=self._name(),
            callback_key=partial(versions.callback_key, self),
        )
        checkup = Checkup(self.premises(settings), settings, backoff=self.backoff)
        return _Parts(tasks, checkup, gate, writer, cache, inquiries, tracker)

    def _terms(self, settings: Settings) -> Terms:
        return Terms(
            start_retries=settings.start_retries,
            finish_grace=settings.grace,
            queued_timeout=settings.longest_wait,
            scheduler=None if self.job_id is None else int(self.job_id),
        )

    def _option(self, section: str, name: str) -> str | None:
        """Read an option: a team has sections of its own for executors alone."""
        source = self.conf if section in (SECTION, advice.OLD_SECTION) else conf
        value: str | None = source.get(section, name, fallback=None)
        return value

    def _name(self) -> str | None:
        return (self.name.alias or self.name.module_path) if self.name else None

    def _executors(self) -> Executors | None:
        """What a job must know of the executors, if Airflow's loader made this one by its name."""
        if (name := self._name()) is None:
            return None
        configured = conf.get_mandatory_value("core", "executor")
        return Executors(configured, name, conf.getboolean("core", "multi_team", fallback=False))

    def queue_workload(self, workload: "ExecutorWorkload", session: "Session") -> None:
        """Take a workload in; what can't be run fails by itself, and stops nothing."""
        try:
            if getattr(workload, "type", None) in self._taken:
                super().queue_workload(workload, session)
            else:
                self._refuse(workload)
        except Exception:
            self.log.exception("A %s can't be queued", type(workload).__name__)

    def _refuse(self, workload: Any) -> None:
        info = versions.refusal(self, workload.type)
        self.log.error("%s", info)
        self.fail(versions.key(self, workload), info=info)

    def _get_workloads_to_schedule(self, open_slots: int) -> list[tuple[Any, Any]]:
        # More may run than there is room for: adoption doesn't count.
        return list(versions.in_order(self)[: max(0, open_slots)])

    def _process_workloads(self, workload_items: Sequence["ExecutorWorkload"]) -> None:
        parts = self._parts
        if parts:
            guard(
                self.log, parts.tracker.take_reports, self.now()
            )  # so that what is written is known
        orders: list[Order] = []
        for workload in workload_items:
            try:
                orders += self._orders(parts, workload)
            except Exception as error:
                self.log.exception("A workload can't be handed over")
                why = presentable(repr(error))  # what a workload holds may be in it
                guard(self.log, self._give_back, workload, f"it can't be handed over: {why}")
        if parts:
            parts.tracker.submit(orders)
            self._say(parts.tracker.words())

    def _orders(self, parts: _Parts | None, workload: Any) -> Sequence[Order]:
        key, kind = versions.key(self, workload), Kind(workload.type)
        versions.queue(self, kind).pop(key, None)
        self.running.add(key)
        if parts is None:
            self.fail(key, info=self._trouble)
            self.log_task_event(event="batchtask refused", extra=self._trouble, ti_key=key)
            return ()
        if kind is Kind.TASK:
            return (parts.tracker.enter(workload, key),)
        return (parts.tracker.enter_other(workload, key),)

    def _give_back(self, workload: Any, info: str) -> None:
        key = versions.key(self, workload)
        versions.queue(self, Kind(workload.type)).pop(key, None)
        self.fail(key, info=info)

    def sync(self) -> None:
        """Take in what the threads have brought; no I/O."""
        if not self._task_event_logs:
            self._kept_events.clear()  # the scheduler has saved them
        if self._parts:
            guard(self.log, self._sync, self._parts.tracker)

    def _sync(self, tracker: Tracker) -> None:
        self._say(tracker.sync(self.running, self.now()))

    def _say(self, words: Sequence[Word]) -> None:
        for word in words:
            guard(self.log, self._tell, word)

    def _tell(self, word: Word) -> None:
        key: Any = word.key
        match word:
            case Holds():
                self.running.add(key)
            case Freed():
                self.running.discard(key)
            case Identified(external_id=given):
                self.running_state(key, given)  # all this does is to write the id
            case Noted(event=event, text=text):
                self.log_task_event(event=event, extra=text, ti_key=key)
            case Ended(end=end):
                change = self.success if isinstance(end, Succeeded) else self.fail
                change(key, info=end.info)
            case _:
                assert_never(word)

    def revoke_task(self, *, ti: "TaskInstance") -> None:
        """Give up a task that is stuck in queued, unless it waits for its turn.

        Airflow asks after `[scheduler] task_queued_timeout`, queues anew at most twice, and fails
        the task then. A job may wait for longer: `queued_timeout` says for how long.

        Raises:
            NotImplementedError: it waits for its turn; Airflow leaves it as it is.
        """
        try:
            waits = not self._revoke(ti)
        except Exception:
            self.log.exception("A task instance can't be revoked")
            return
        if waits:
            raise NotImplementedError(
                "it waits for its turn: see [batchtask_executor] queued_timeout"
            )

    def _revoke(self, ti: "TaskInstance") -> bool:
        key = versions.task_key(self, ti)
        queued = versions.queue(self, Kind.TASK)
        if self._parts:
            if key in queued:
                return False
            self._parts.tracker.take_reports(self.now())  # its id may just have changed
            if not self._parts.tracker.revoke(key, external_id(ti.external_executor_id)):
                return False
        queued.pop(key, None)
        self.running.discard(key)
        return True

    def try_adopt_task_instances(self, tis: Sequence["TaskInstance"]) -> Sequence["TaskInstance"]:
        """Adopt whatever has an external id of ours; it is found in the cluster later."""
        return [ti for ti in tis if not self._adopt(ti)]

    def _adopt(self, ti: "TaskInstance") -> bool:
        try:
            adopted = external_id(ti.external_executor_id)
            place = (ti.dag_id, ti.task_id, ti.run_id, ti.map_index)  # no more is loaded
        except Exception:
            self.log.exception("A task instance can't be adopted")
            return False
        if adopted is None:
            return False
        self._table.adopt(adopted, place)
        return True

    def get_task_log(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
        """What the BatchTask of a running task says; asked in the API server, without start()."""
        return self._task_logs.of_running(ti, try_number)

    def end(self) -> None:
        """Stop the threads; jobs go on, for the next scheduler to adopt."""
        if self._parts:
            self._parts.stop()

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
