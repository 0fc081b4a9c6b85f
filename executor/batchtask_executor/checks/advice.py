"""What the configuration alone shows that a user may not mean, read without asking anybody."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

from batchtask_api.addresses import without_login
from batchtask_executor.config import SECTION, QueueSettings, Settings
from batchtask_executor.jobs.environment import EXECUTOR

Option = Callable[[str, str], str | None]
"""Reads an option of Airflow's configuration by section and name."""

OLD_SECTION: Final = "aws_batch_executor"
OLD_CLASS: Final = "AwsBatchExecutor"
_CLASS: Final = "BatchTaskExecutor"
_FAN_OUT: Final = (
    # section, option, Airflow's default, what it bounds
    ("core", "parallelism", 32, "tasks of one scheduler, those that wait in AWS Batch included"),
    ("scheduler", "max_tis_per_query", 16, "tasks that one loop of the scheduler queues"),
)


def warnings(option: Option, settings: Settings) -> Sequence[str]:
    """List what is not as a user may think, each with the way out."""
    return [
        *_left_behind(option),
        *_attempts(settings),
        *_alias(option, settings),
        *_logs(option),
    ]


def reminders(option: Option) -> Sequence[str]:
    """List what may be right or wrong: that doesn't show in this configuration."""
    return [*_execution_api(option), *_fan_out(option)]


def unread(names: Iterable[str]) -> Sequence[str]:
    """Say of each name in the section that it is no option, and which one may be meant."""
    known = list(Settings.model_fields)
    found = []
    for name in sorted(set(names) - set(known)):
        near = get_close_matches(name, known, n=1)
        meant = f": is {near[0]} meant?" if near else ""
        found.append(f"[{SECTION}] {name} is no option, so it has no effect{meant}")
    return found


def _left_behind(option: Option) -> Iterator[str]:
    """An old section in which something stands that nobody reads any more."""
    if OLD_CLASS in (option("core", "executor") or ""):
        return  # side by side, it reads its own
    left = [
        name
        for name in ("job_queue", "job_definition", "submit_job_kwargs")
        if option(OLD_SECTION, name) and not option(SECTION, name)
    ]
    if left:
        yield (
            f"[{OLD_SECTION}] {', '.join(left)} stand in the configuration, and [{SECTION}] has "
            "none of them: run `airflow batchtask migrate-config`"
        )
    if option(OLD_SECTION, "region_name"):
        yield (
            f"[{OLD_SECTION}] region_name is not read: the controller calls AWS, with credentials "
            "and BATCHTASK_AWS_REGION of its own"
        )


def _places(settings: Settings) -> Iterator[tuple[str, Settings | QueueSettings]]:
    """Where submit_job_kwargs may stand, each with what its name begins with."""
    yield "", settings
    for name, queue in settings.queues.items():
        yield f"queues.{name}.", queue


def _attempts(settings: Settings) -> Iterator[str]:
    for place, of in _places(settings):
        strategy = _either(of.submit_job_kwargs, "retryStrategy", "retry_strategy")
        attempts = strategy.get("attempts") if isinstance(strategy, Mapping) else None
        rules = (
            _either(strategy, "evaluateOnExit", "evaluate_on_exit")
            if isinstance(strategy, Mapping)
            else None
        )
        if isinstance(attempts, int) and attempts > 1 and not rules:
            yield (
                f"[{SECTION}] {place}submit_job_kwargs has {attempts} attempts without "
                "evaluateOnExit: AWS Batch would start a task again that had started, and Airflow "
                "refuses it; leave it to Airflow's retries, or retry only what never started"
            )


def _either(of: Mapping[str, Any], camel: str, snake: str) -> Any:
    return of.get(camel, of.get(snake))


def _alias(option: Option, settings: Settings) -> Iterator[str]:
    """A variable of the user's that hides from jobs by which name DAGs call this executor."""
    for entry in (option("core", "executor") or "").replace(";", ",").split(","):
        alias, _, path = entry.rpartition("=")[2].strip().rpartition(":")
        if path.rpartition(".")[2] != _CLASS or not alias:
            continue
        for place, of in _places(settings):
            if any(alias not in value for value in _values(of.submit_job_kwargs, EXECUTOR)):
                yield (
                    f"[{SECTION}] {place}submit_job_kwargs sets {EXECUTOR} to a value without "
                    f"{alias!r}: a DAG that names {alias!r} can't be read in the job; add it, or "
                    "remove the variable, since each job is given the scheduler's value"
                )


def _values(of: object, variable: str) -> Iterator[str]:
    """Every value that a variable is given, in AWS's lists or by the short form."""
    if isinstance(of, Mapping):
        if of.get("name") == variable:
            yield str(of.get("value"))
        if variable in of:
            yield str(of[variable])
        for each in of.values():
            yield from _values(each, variable)
    elif isinstance(of, Sequence) and not isinstance(of, str):
        for each in of:
            yield from _values(each, variable)


def _execution_api(option: Option) -> Iterator[str]:
    url = option("core", "execution_api_server_url") or option("api", "base_url") or ""
    host = urlsplit(url).hostname or "localhost"
    if host == "localhost" or host.startswith("127.") or "." not in host:
        shown = without_login(url) or "localhost"
        yield (
            f"the execution API is at {shown!r} for Airflow's own components: the containers of "
            "the job definitions need AIRFLOW__CORE__EXECUTION_API_SERVER_URL with "
            "an address that is reached from AWS"
        )


def _logs(option: Option) -> Iterator[str]:
    if (option("logging", "remote_logging") or "").lower() not in {"true", "t", "1"}:
        yield (
            "[logging] remote_logging is off: a task's own log ends with its container; set it up "
            "here and in the containers"
        )


def _fan_out(option: Option) -> Iterator[str]:
    for section, name, default, bounds in _FAN_OUT:
        if (option(section, name) or str(default)) == str(default):
            yield (
                f"[{section}] {name} is Airflow's default, {default}: it bounds the {bounds}; "
                "raise it for large fan-outs, and the pools as well"
            )
