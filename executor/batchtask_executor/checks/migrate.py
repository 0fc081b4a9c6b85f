"""The section [batchtask_executor] made from [aws_batch_executor], with what is lost or changed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from batchtask_api import submit_job
from batchtask_executor.checks.advice import OLD_CLASS, OLD_SECTION
from batchtask_executor.config import SECTION, Settings
from batchtask_executor.jobs.job import JOB_NAME, BadJob, JobBuilder
from batchtask_executor.jobs.merge import NAMED_BY

NEW_PATH: Final = "batchtask_executor.BatchTaskExecutor"
_SAME: Final = ("job_queue", "job_definition")
_KEPT: Final = (*_SAME, "submit_job_kwargs", "max_submit_job_attempts")
_GONE: Final = {
    "conn_id": "the controller calls AWS, with credentials of its own (such as its pod's role); "
    "Airflow needs none for this",
    "region_name": "give it to the controller, as BATCHTASK_AWS_REGION",
    "check_health_on_startup": "the health is always checked, beside the scheduler, and never "
    "keeps it from starting; see `airflow batchtask preflight`",
    "job_name": "the controller names each job, and finds it by that name after a failure",
}
OLD_OPTIONS: Final = (*_KEPT, *_GONE)
"""All that AwsBatchExecutor reads, but for two that it refuses."""
_FOOTNOTES: Final = (
    "A cluster is needed, with the CRD, the controller and the namespace of the tasks; the options",
    "namespace, in_cluster and config_file say where. `airflow batchtask preflight` looks at it.",
    "Each job is given [core] executor as it is here: where a job definition or executor_config",
    "sets AIRFLOW__CORE__EXECUTOR itself, it must hold the same alias.",
    "Jobs that wait count against [core] parallelism, as before: raise it, the pools and",
    "[scheduler] max_tis_per_query for large fan-outs. More stands in docs/migration.md.",
)


def migrated(executor: str, old: Mapping[str, str]) -> Sequence[str]:
    """The lines of an airflow.cfg.

    Args:
        executor: what [core] executor is.
        old: the options of [aws_batch_executor], as they hold now.
    """
    return [
        f"# Made from [{OLD_SECTION}]. A comment says what is lost, or means something else.",
        "[core]",
        f"executor = {_cfg(_executor(executor))}",
        "",
        f"[{SECTION}]",
        *(f"{name} = {_cfg(old[name])}" for name in _SAME if old.get(name)),
        *_kwargs(old.get("submit_job_kwargs", "")),
        *_attempts(old.get("max_submit_job_attempts", "")),
        *(f"# {name} = {_cfg(old[name])}: {why}." for name, why in _GONE.items() if old.get(name)),
        *(
            f"# {name} = {_cfg(value)}: there is no such option."
            for name, value in old.items()
            if value and name not in _GONE and name not in _KEPT
        ),
        "",
        *(f"# {note}" for note in _FOOTNOTES),
    ]


def _executor(setting: str) -> str:
    """Change the class, keep aliases, teams and order."""

    def changed(entry: str) -> str:
        head, colon, path = entry.rpartition(":")
        team, equals, bare = path.rpartition("=")
        if bare.strip().rpartition(".")[2] != OLD_CLASS:
            return entry
        return f"{head}{colon}{team}{equals}{NEW_PATH}"

    return ";".join(",".join(map(changed, part.split(","))) for part in setting.split(";"))


def _kwargs(text: str) -> Iterator[str]:
    if not text:
        return
    try:
        given = json.loads(text)
    except ValueError as error:
        yield f"# submit_job_kwargs is no JSON ({error}): {_cfg(text)}"
        return
    kept, notes = _without_what_is_ours(given)
    yield from notes
    try:
        JobBuilder(Settings(submit_job_kwargs=kept), submit_job.schema())
    except (BadJob, ValueError) as bad:
        yield f"# This can't be used as it is: {' '.join(str(bad).split())}"
    if kept:
        yield f"submit_job_kwargs = {_cfg(json.dumps(kept))}"


def _without_what_is_ours(given: Any) -> tuple[Any, Sequence[str]]:
    """Drop a job's name and command; tell what is merged otherwise than before."""
    if not isinstance(given, dict):
        return given, ()
    kept = {key: value for key, value in given.items() if key not in JOB_NAME}
    notes = [
        f"# submit_job_kwargs.{name} is dropped: {_GONE['job_name']}."
        for name in given
        if name not in kept
    ]
    for name in ("containerOverrides", "container_overrides"):
        overrides = kept.get(name)
        if isinstance(overrides, dict) and "command" in overrides:
            kept[name] = {key: value for key, value in overrides.items() if key != "command"}
            if overrides["command"]:
                notes.append(f"# {name}.command is dropped: the Airflow workload is the command.")
    if lists := sorted(set(_lists(kept))):
        notes.append(
            f"# {', '.join(lists)}: a task's own items now go over those of the same name; before, "
            "its list replaced this one."
        )
    return kept, notes


def _lists(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, list) and key in NAMED_BY:
                yield key
            yield from _lists(item)
    elif isinstance(value, list):
        for item in value:
            yield from _lists(item)


def _attempts(text: str) -> Iterator[str]:
    if not text:
        return
    yield (
        f"# max_submit_job_attempts = {text} meant two things. A submission that AWS doesn't take "
        "for now is tried until it does;"
    )
    yield (
        "# a job that ended before its task started is made again start_retries times, and one "
        "whose task started never."
    )
    if text.strip().isdecimal():
        yield f"start_retries = {max(int(text) - 1, 0)}"


def _cfg(value: str) -> str:
    """The value as airflow.cfg takes it: on one line, with % doubled."""
    return " ".join(value.split("\n")).replace("%", "%%")
