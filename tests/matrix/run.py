"""Runs DAGs on both executors of one Airflow, and gathers what came of them."""

import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from rich.console import Console

from batchtask_local.batch import Job
from batchtask_local.demo.airflow import COMPONENTS, EXECUTOR
from batchtask_local.demo.progress import Show
from batchtask_local.demo.run import settle
from batchtask_local.demo.stage import Play, Stage, stage
from matrix.catalog import TESTS
from matrix.example import Example
from matrix.outcomes import End, Instance, Outcome
from matrix.side import Side

LOGICAL_DATE = "2026-01-01T00:00:00Z"
"""Of every run that is started here, so that what depends on the day is the same on both sides."""

ENDED = frozenset({"success", "failed"})
"""The states of a run that is over."""

PLUGINS = Path(__file__).with_name("plugins")

_DAG_FILE = """\
\"\"\"An example of Airflow's for one executor: its module makes the DAG.\"\"\"

from matrix.side import Side
from matrix.twin import twins

globals().update(twins({module!r}, Side.{side}))
"""
_READY_SECONDS = 180
_READY_SECONDS_A_FILE = 6
_POLL_SECONDS = 2.0

Say = Callable[[str], object]


@dataclass(frozen=True)
class Result:
    """What came of it all."""

    local: Outcome
    batchtask: Outcome
    jobs: Counter[tuple[Instance, int]]
    """How many jobs there were of each try of a task instance."""
    submits: Counter[str]
    """How many SubmitJob calls there were of each job name."""


def run(examples: Sequence[Example], home: Path, within_seconds: float, say: Say) -> Result:
    """Run examples on both executors until all have ended, or the time is over."""
    dags = home / "dags"
    modules = sorted({example.module for example in examples})
    _write(modules, dags)
    play = Play(
        dags=dags,
        dag_ids=frozenset(side.dag_id(one.dag_id) for side in Side for one in examples),
        executor=f"{Side.LOCAL},{EXECUTOR}",
        components={**COMPONENTS, "triggerer": ("triggerer", "--skip-serve-logs")},
        shared={"PYTHONPATH": str(TESTS), "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS)},
        ready_seconds=_READY_SECONDS + _READY_SECONDS_A_FILE * 2 * len(modules),
    )
    show = Show(Console(file=cast("IO[str]", _Lines(say)), width=200))
    with stage("envtest", None, home / "stage", show, play) as running:
        follower = _Follower(running, examples, time.monotonic() + within_seconds, say)
        follower.follow([one for one in examples if not one.consumes])
        follower.follow([one for one in examples if one.consumes])
        settle(running)
        return _gathered(running, examples)


def _write(modules: Iterable[str], dags: Path) -> None:
    for side in Side:
        folder = dags / side.name.lower()
        folder.mkdir(parents=True)
        for module in modules:
            text = _DAG_FILE.format(module=module, side=side.name)
            (folder / f"{module.rpartition('.')[2]}.py").write_text(text)


class _Lines(io.TextIOBase):
    """A file that hands on whole lines."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say
        self._begun = ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._say(line)
        return len(text)


class _Follower:
    """Starts runs, and says of each DAG when it has ended on both sides."""

    def __init__(
        self, running: Stage, examples: Sequence[Example], deadline: float, say: Say
    ) -> None:
        self._airflow = running.airflow
        self._processes = running.processes
        self._deadline = deadline
        self._say = say
        self._all = len(examples)
        self._said = 0
        self._started_by_another = {name for one in examples for name in one.starts}

    def follow(self, examples: Iterable[Example]) -> None:
        """Run these DAGs on both sides until every run has ended."""
        awaited = {one.dag_id for one in examples}
        for dag_id in sorted(awaited - self._started_by_another):
            for side in Side:
                self._airflow.trigger(side.dag_id(dag_id), logical_date=LOGICAL_DATE)
        self._airflow.unpause()
        begun = time.monotonic()
        while awaited and time.monotonic() < self._deadline:
            time.sleep(_POLL_SECONDS)
            self._processes.check()
            states = _states(self._airflow.runs())
            for dag_id in sorted(awaited):
                ends = [states.get(side.dag_id(dag_id), ()) for side in Side]
                if all(end and _is_over(end) for end in ends):
                    awaited.discard(dag_id)
                    self._tell(dag_id, ends, time.monotonic() - begun)
        for dag_id in sorted(awaited):
            self._say(f"{dag_id}: not ended in time")

    def _tell(self, dag_id: str, ends: Sequence[Sequence[str]], seconds: float) -> None:
        self._said += 1
        local, batchtask = (", ".join(end) for end in ends)
        same = local if local == batchtask else f"{local} | {batchtask}"
        self._say(f"[{self._said}/{self._all}] {dag_id}: {same}, {seconds:.0f} s")


def _states(runs: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in runs:
        found.setdefault(each["dag_id"], []).append(each["state"])
    return found


def _is_over(states: Iterable[str]) -> bool:
    return all(state in ENDED for state in states)


def _gathered(running: Stage, examples: Sequence[Example]) -> Result:
    runs = list(_numbered(running.airflow.runs()))
    local, batchtask = (_outcome(running, runs, side, examples) for side in Side)
    number_of = {(dag_id, one["dag_run_id"]): number for dag_id, number, one in runs}
    return Result(
        local,
        batchtask,
        Counter(_started(job, number_of) for job in running.batch.jobs()),
        Counter(str(entry.job_name) for entry in running.batch.journal("SubmitJob")),
    )


def _started(job: Job, number_of: Mapping[tuple[str, str], int]) -> tuple[Instance, int]:
    """Return the task instance and the try that a job was to start: its workload says so."""
    ti = json.loads(job.spec.container.command[-1])["ti"]
    original = ti["dag_id"].removeprefix(Side.BATCHTASK.dag_id(""))
    number = number_of[ti["dag_id"], ti["run_id"]]
    return Instance(original, number, ti["task_id"], ti["map_index"]), ti["try_number"]


def _numbered(runs: Iterable[dict[str, Any]]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    counted: Counter[str] = Counter()
    for each in runs:
        yield each["dag_id"], counted[each["dag_id"]], each
        counted[each["dag_id"]] += 1


def _outcome(
    running: Stage,
    runs: Iterable[tuple[str, int, dict[str, Any]]],
    side: Side,
    examples: Iterable[Example],
) -> Outcome:
    original = {side.dag_id(one.dag_id): one.dag_id for one in examples}
    states: dict[tuple[str, int], str] = {}
    ends: dict[Instance, End] = {}
    for dag_id, number, each in runs:
        if dag_id not in original:
            continue
        states[original[dag_id], number] = each["state"]
        for one in running.airflow.task_instances(dag_id, each["dag_run_id"]):
            instance = Instance(original[dag_id], number, one["task_id"], one["map_index"])
            ends[instance] = End.of(one)
    return Outcome(states, ends)
