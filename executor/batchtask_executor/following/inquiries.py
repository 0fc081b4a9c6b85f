"""Ask Airflow's database in a thread of its own: whoever asks never waits for an answer."""

import contextlib
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from batchtask_executor.background import Background
from batchtask_executor.backoff import Backoff
from batchtask_executor.complaints import Complaints
from batchtask_executor.following.rows import Place, Row, Rows, RowsUnavailable
from batchtask_executor.jobs.drafts import TaskWorkload
from batchtask_executor.redaction import presentable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """How does this row stand?"""

    about: str
    """Whatever the asker knows the answer by."""
    place: Place


@dataclass(frozen=True, slots=True)
class Remake:
    """What did the scheduler hand over for this row, if it is still queued under that id?"""

    about: str
    place: Place
    queued_under: str | None


@dataclass(frozen=True, slots=True)
class Await:
    """Does Airflow wait for the end of this callback?"""

    about: str
    callback: str


@dataclass(frozen=True, slots=True)
class Looked:
    """The row, None if it isn't there."""

    about: str
    row: Row | None


@dataclass(frozen=True, slots=True)
class Unread:
    """The row can't be read, which says nothing of it: ask again some other time."""

    about: str


@dataclass(frozen=True, slots=True)
class Remade:
    """The workload, None if the row isn't queued under that id any more."""

    about: str
    workload: TaskWorkload | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotRemade:
    """The workload can't be made now; why, for people."""

    about: str
    message: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """Whether Airflow waits for the end of the callback."""

    about: str
    is_awaited: bool


Question = Look | Remake | Await
Answer = Looked | Unread | Remade | NotRemade | Awaited


class _NoAnswer(Exception):
    """One question can't be answered; others can."""


class Inquiries(Background):
    """Answers questions, those that wait together with few requests."""

    def __init__(self, rows: Rows, *, backoff: Backoff | None = None) -> None:
        super().__init__("ledger")
        self._rows = rows
        self._backoff = backoff or Backoff()
        self._complaints = Complaints(log)
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()

    def stop(self) -> None:
        """Answer nothing more; returns at once."""
        super().stop()
        self._questions.put(None)

    def put(self, questions: Iterable[Question]) -> None:
        """Ask; the answers come by drain()."""
        for question in questions:
            self._questions.put(question)

    def drain(self, most: int = sys.maxsize) -> Sequence[Answer]:
        """The answers that came, from the oldest on that wasn't drained yet."""
        answers: list[Answer] = []
        with contextlib.suppress(Empty):
            while len(answers) < most:
                answers.append(self._answers.get_nowait())
        return answers

    def _run(self) -> None:
        waiting: list[Question] = []
        failures = 0
        while not self._stopped.is_set():
            waiting += self._next(is_patient=not waiting)
            try:
                waiting = self._answer(waiting)
                failures = 0
            except RowsUnavailable as error:
                failures += 1
                self._complaints.about(error)
                self._stopped.wait(self._backoff.seconds(failures))
            except Exception:
                failures += 1
                log.exception("A bug in reading Airflow's task instances; it is tried again")
                self._stopped.wait(self._backoff.seconds(failures))

    def _next(self, *, is_patient: bool) -> Sequence[Question]:
        """All questions that wait, at least one if there is the patience for it."""
        found: list[Question] = []
        with contextlib.suppress(Empty):
            while True:
                question = self._questions.get(block=is_patient and not found)
                if question is None:
                    return found
                found.append(question)
        return found

    def _answer(self, waiting: Sequence[Question]) -> list[Question]:
        """Answer what is asked, and return nothing: what raises is asked again as a whole."""
        looks = [question for question in waiting if isinstance(question, Look)]
        remakes = [question for question in waiting if isinstance(question, Remake)]
        awaits = [question for question in waiting if isinstance(question, Await)]
        for answer in [*self._look(looks), *map(self._remake, remakes), *self._await(awaits)]:
            self._answers.put(answer)
        return []

    def _look(self, looks: Sequence[Look]) -> Sequence[Answer]:
        """Read the rows with few requests: by halves where one of them can't be read."""
        if not looks:
            return []
        try:
            found = self._rows.find({look.place for look in looks})
        except RowsUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it is told, and no other look is to suffer
            if len(looks) == 1:
                self._complain(f"The row of {looks[0].place} can't be read", error)
                return [Unread(looks[0].about)]
            half = len(looks) // 2
            return [*self._look(looks[:half]), *self._look(looks[half:])]
        return [Looked(look.about, found.get(look.place)) for look in looks]

    def _await(self, awaits: Sequence[Await]) -> Sequence[Answer]:
        """Ask for the callbacks; where none can be read their ends are told: twice is no harm."""
        callbacks = {each.callback for each in awaits}
        try:
            awaited = self._rows.awaited(callbacks) if callbacks else callbacks
        except RowsUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it is told
            self._complain("Airflow's callbacks can't be read", error)
            awaited = callbacks
        return [Awaited(each.about, each.callback in awaited) for each in awaits]

    def _remake(self, question: Remake) -> Answer:
        try:
            workload = self._rows.workload(question.place, question.queued_under)
        except RowsUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it is told
            self._complain(f"The workload of {question.place} can't be made anew", error)
            why = presentable(repr(error))
            return NotRemade(question.about, f"its workload can't be made anew: {why}")
        return Remade(question.about, workload)

    def _complain(self, what: str, error: Exception) -> None:
        self._complaints.about(_NoAnswer(f"{what}: {presentable(repr(error))}"))
        log.debug("%s", what, exc_info=error)
