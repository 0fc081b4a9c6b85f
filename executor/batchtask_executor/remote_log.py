"""Airflow's log view, with what the BatchTasks say beside the user's own remote logs."""

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Final

from airflow.configuration import conf
from airflow.utils.state import State, TaskInstanceState

from batchtask_executor.config import SECTION, Settings
from batchtask_executor.view.logs import TaskLogs

log = logging.getLogger(__name__)

Stream = Iterator[str]

_WAITING: Final = frozenset({TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED})
"""States in which Airflow reads the local files whatever we show, and asks no worker: a line of
ours hides nothing then, even of another executor's task."""


class BatchTaskLogIO:
    """A RemoteLogIO of Airflow's over another one, the user's own, which it hides nothing of.

    Airflow asks it for the logs of a task instance in every state. The user's logs come first and
    as they are; what goes wrong with ours is one more source, never an exception. While a task
    runs it adds nothing: then Airflow asks the executor, too.
    """

    def __init__(self, theirs: Callable[[], Any], logs: TaskLogs | None = None) -> None:
        """Take the user's own, if there is one, from `theirs` when it is first used."""
        self._find_theirs = theirs
        self._logs = logs or TaskLogs(_settings)

    @classmethod
    def beside(cls, theirs: Any) -> "BatchTaskLogIO":
        """Wrap a remote log IO that is at hand; for a logging configuration of one's own."""
        return cls(lambda: theirs)

    @cached_property
    def theirs(self) -> Any:
        """The user's own remote log IO; None where remote logging isn't configured."""
        return self._find_theirs()

    def __getattr__(self, name: str) -> Any:
        """Whatever else the user's own can do."""
        if name.startswith("_") or self.theirs is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.theirs, name)

    @property
    def processors(self) -> tuple[Any, ...]:
        """What the user's own does to each line of a task that writes it."""
        return () if self.theirs is None else tuple(self.theirs.processors)

    def upload(self, path: os.PathLike[str] | str, ti: Any = None) -> None:
        """Upload a finished log to where the user has them."""
        if self.theirs is not None:
            self.theirs.upload(path, ti)

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str]]:
        """Read it all at once: the sources, and each stream's text."""
        sources, streams = self.stream(relative_path, ti)
        return sources, ["\n".join(stream) for stream in streams]

    def stream(self, relative_path: str, ti: Any) -> tuple[list[str], list[Stream]]:
        """The sources, and the streams of lines."""
        sources, streams = self._of_theirs(relative_path, ti)
        if ti.state == TaskInstanceState.RUNNING:
            return sources, streams
        paths = _local_files(relative_path)
        found = self._logs.of(ti, ti.try_number, with_output=not (streams or paths))
        if found.streams and not streams and ti.state not in State.unfinished:
            # Of a finished task with remote logs Airflow reads no local file any more.
            sources += map(str, paths)
            streams += map(_lines_of, paths)
        sources += found.sources
        streams += map(_as_stream, found.streams)
        if found.missing and ti.state in _WAITING:
            streams.append(_as_stream(found.missing))
        return sources, streams

    def _of_theirs(self, relative_path: str, ti: Any) -> tuple[list[str], list[Stream]]:
        """What the user's own has, without the streams that are empty."""
        try:
            if self.theirs is None:
                return [], []
            if stream := getattr(self.theirs, "stream", None):
                sources, streams = stream(relative_path, ti)
            else:
                sources, texts = self.theirs.read(relative_path, ti)
                streams = [_as_stream(text.split("\n")) for text in texts or ()]
            return list(sources), [full for each in streams or () if (full := _unless_empty(each))]
        except NotImplementedError:
            return [], []
        except Exception as error:
            log.exception("The remote log can't be read")
            return [f"The remote log can't be read: {error!r}"], []


def _settings() -> Settings:
    return Settings.read(lambda name: conf.get(SECTION, name, fallback=None))


def _as_stream(lines: Iterable[str]) -> Generator[str, None, None]:
    """Airflow tells streams from texts by their type."""
    yield from lines


def _unless_empty(stream: Iterable[str]) -> Stream | None:
    rest = iter(stream)
    first = next(rest, None)
    return None if first is None else chain([first], rest)


def _local_files(relative_path: str) -> Sequence[Path]:
    """The files that Airflow would read as this task's local log."""
    base = Path(conf.get_mandatory_value("logging", "base_log_folder")).expanduser().resolve()
    path = base / relative_path
    try:
        found = sorted(path.parent.glob(f"{path.name}*"))
        return [each for each in found if each.is_file() and each.resolve().is_relative_to(base)]
    except (OSError, ValueError):
        log.exception("Local logs can't be looked for")
        return []


def _lines_of(path: Path) -> Generator[str, None, None]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for each in file:
                yield each.rstrip("\n")
    except OSError:
        log.exception("A local log can't be read")
