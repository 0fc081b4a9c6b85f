"""What the configuration alone shows that a user may not mean, read without asking anybody."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from batchtask_api.addresses import without_login
from batchtask_executor.config import SECTION, QueueSettings, Settings

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
    return [*_left_behind(option), *_attempts(settings), *_logs(option)]


def reminders(option: Option) -> Sequence[str]:
    """List what may be right or wrong: that doesn't show in this configuration."""
    return [*_alias(option), *_execution_api(option), *_fan_out(option)]


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


def _attempts(settings: Settings) -> Iterator[str]:
    places: Sequence[tuple[str, Settings | QueueSettings]] = [
        ("", settings),
        *((f"queues.{name}.", queue) for name, queue in settings.queues.items()),
    ]
    for place, of in places:
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


def _alias(option: Option) -> Iterator[str]:
    for entry in (option("core", "executor") or "").replace(";", ",").split(","):
        alias, _, path = entry.rpartition("=")[2].strip().rpartition(":")
        if path.rpartition(".")[2] == _CLASS and alias:
            yield (
                f"[core] executor has the alias {alias!r}: the containers of the job definitions "
                f"must have it too (AIRFLOW__CORE__EXECUTOR), or a DAG that names {alias!r} can't "
                "be read there"
            )


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
