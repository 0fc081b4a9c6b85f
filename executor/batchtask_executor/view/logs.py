"""What the BatchTasks of a task instance say, for Airflow's log view; nothing here raises."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from batchtask_api import AirflowIdentity, BatchTask
from batchtask_executor.cluster.tasks import BatchTasks, TasksError
from batchtask_executor.config import Settings, SettingsError
from batchtask_executor.following.outcome import log_stream
from batchtask_executor.redaction import presentable
from batchtask_executor.view.log_lines import line, output_line, task_lines
from batchtask_executor.view.output import Output, OutputUnavailable

log = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 3.0
"""Seconds that the API server has. Somebody waits for the log, at each refresh of it; where all is
well it answers in some milliseconds (docs/decisions/0005-the-log-view.md)."""


@dataclass(frozen=True, slots=True)
class TaskLog:
    """Where the lines come from, or why there are none; and the lines, each stream in order."""

    sources: Sequence[str]
    streams: Sequence[Sequence[str]] = ()
    missing: Sequence[str] = ()
    """Why there are none, as a line. No stream: what has one Airflow takes for the whole log."""

    @classmethod
    def unreadable(cls, why: str) -> Self:
        """Nothing could be read."""
        text = f"BatchTasks can't be read: {presentable(why)}"
        return cls([text], missing=[line(text, level="warning")])


@dataclass(frozen=True, slots=True)
class _Opened:
    settings: Settings
    tasks: BatchTasks


def connect(settings: Settings, answer_within: float | None = None) -> BatchTasks:
    """Make the port to the cluster; no connection is opened before it is used.

    Args:
        settings: which cluster.
        answer_within: seconds, for who waits for no longer; what is written may take its time.
    """
    from batchtask_executor.cluster.kube import KubeBatchTasks

    return KubeBatchTasks(settings, answer_within=answer_within)


def cloudwatch() -> Output:
    """Make the reader of CloudWatch Logs.

    Raises:
        OutputUnavailable: its library isn't installed.
    """
    try:
        from batchtask_executor.view.cloudwatch import CloudWatch
    except ImportError as error:
        raise OutputUnavailable(f"{error}: install airflow-batchtask[logs]") from error
    return CloudWatch()


class TaskLogs:
    """Reads what the tasks of one try say, from the cluster and, where it may, from CloudWatch.

    It is made in every process that loads the executor, and reads its settings and makes its
    clients when it is first asked. It is safe to use from several threads.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        connect: Callable[[Settings, float], BatchTasks] = connect,
        output: Callable[[], Output] = cloudwatch,
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._output = output
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._opened_output: Output | None = None

    def of(self, ti: Any, try_number: int, *, with_output: bool) -> TaskLog:
        """What is known of this try; nothing at all where it has no BatchTask.

        Args:
            ti: Airflow's TaskInstance or TaskInstanceHistory.
            try_number: which of its tries.
            with_output: whether all that the job wrote is wanted, not its status' tail alone.
        """
        try:
            opened = self._open()
            tasks = opened.tasks.find(_identity(ti, try_number))
            sources: list[str] = []
            streams: list[Sequence[str]] = []
            for task in tasks:
                sources.append(_source(task))
                written: Sequence[str] = []
                if with_output and opened.settings.cloudwatch_logs:
                    written = self._written(opened.settings, task, sources)
                group = opened.settings.log_group
                streams += [task_lines(task, group, with_tail=not written), written]
            return TaskLog(sources, [stream for stream in streams if stream])
        except (TasksError, SettingsError) as error:
            return TaskLog.unreadable(str(error))
        except Exception as error:
            log.exception("A bug in the reading of BatchTasks")
            return TaskLog.unreadable(repr(error))

    def of_running(self, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
        """The same for a task that runs, as Airflow asks an executor for it: never no source.

        Without one Airflow would ask the job's container for its log, which serves none.
        """
        found = self.of(ti, try_number, with_output=True)
        sources = found.sources or ["There is no BatchTask of this try (any more)"]
        lines = [line for stream in (*found.streams, found.missing) for line in stream]
        return list(sources), lines

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                settings = self._settings()
                self._opened = _Opened(settings, self._connect(settings, ANSWER_WITHIN))
            return self._opened

    def _written(self, settings: Settings, task: BatchTask, sources: list[str]) -> Sequence[str]:
        """The lines that the task's job wrote; where they can't be had a source says why."""
        stream = log_stream(task.status, settings.log_group)
        if stream is None:
            return []
        where = f"CloudWatch {stream}"
        try:
            found = self._open_output().read(stream)
        except OutputUnavailable as error:
            sources.append(f"{where} can't be read: {presentable(str(error))}")
            return []
        except Exception as error:
            log.exception("A bug in the reading of %s", where)
            sources.append(f"{where} can't be read: {presentable(repr(error))}")
            return []
        sources.append(where)
        lines = [output_line(event.message, event.at) for event in found.events]
        return lines if found.is_whole else [*lines, line(f"There is more in {where}")]

    def _open_output(self) -> Output:
        with self._lock:
            if self._opened_output is None:
                self._opened_output = self._output()
            return self._opened_output


def _identity(ti: Any, try_number: int) -> AirflowIdentity:
    return AirflowIdentity(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
        try_number=try_number,
    )


def _source(task: BatchTask) -> str:
    name, namespace = task.metadata.name, task.metadata.namespace
    return f"BatchTask {task}: kubectl -n {namespace} get bt {name} -o yaml"
