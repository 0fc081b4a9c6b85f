"""The executor's settings: the section [batchtask_executor] of Airflow's configuration."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from batchtask_api.names import DEFAULT_NAMESPACE
from batchtask_executor.jobs.job_shape import Shape

SECTION: Final = "batchtask_executor"
DEFAULT_LOG_GROUP: Final = "/aws/batch/job"
"""Where AWS Batch's jobs write to, unless their definition says otherwise."""

_LABEL_VALUE: Final = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_DNS_LABEL: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

_SHORTEST_TOKEN: Final = 900
"""The controller submits no task whose token ends within 600 s."""


class SettingsError(ValueError):
    """An option can't be used; the message names it and what it takes."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"it must be JSON: {error}") from error


class QueueSettings(_Frozen):
    """What an Airflow queue stands for; whatever is absent comes from the section itself."""

    job_queue: str | None = None
    job_definition: str | None = None
    shape: Shape | None = None
    container: str | None = None
    submit_job_kwargs: Mapping[str, Any] = Field(default_factory=dict)


class Settings(_Frozen):
    """The options, with their defaults; get_provider_info.py describes them."""

    instance: Annotated[str, Field(pattern=_LABEL_VALUE)] = "airflow"
    namespace: Annotated[str, Field(pattern=_DNS_LABEL)] = DEFAULT_NAMESPACE
    in_cluster: bool = True
    config_file: str | None = None
    cluster_context: str | None = None
    job_queue: str | None = None
    job_definition: str | None = None
    submit_job_kwargs: Annotated[Mapping[str, Any], BeforeValidator(_from_json)] = Field(
        default_factory=dict
    )
    queues: Annotated[Mapping[str, QueueSettings], BeforeValidator(_from_json)] = Field(
        default_factory=dict
    )
    shape: Shape | None = None
    container: str | None = None
    token_lifetime: Annotated[int, Field(ge=_SHORTEST_TOKEN)] = 86400
    log_group: Annotated[str, Field(min_length=1)] = DEFAULT_LOG_GROUP
    cloudwatch_logs: bool = False
    start_retries: Annotated[int, Field(ge=0, le=100)] = 3
    queued_timeout: Annotated[int, Field(ge=0)] = 0
    finish_grace: Annotated[int, Field(ge=0)] = 300
    connection_tests: bool = False

    @classmethod
    def read(cls, get: Callable[[str], str | None]) -> Self:
        """Read each option through `get`; None and "" leave it at its default.

        Raises:
            SettingsError: an option's value can't be used.
        """
        given = {name: value for name in cls.model_fields if (value := get(name))}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from error

    @property
    def token_life(self) -> timedelta:
        """How long a task's token is good."""
        return timedelta(seconds=self.token_lifetime)

    @property
    def longest_wait(self) -> timedelta | None:
        """How long a task may wait for its job to start; None: for ever."""
        return timedelta(seconds=self.queued_timeout) if self.queued_timeout else None

    @property
    def grace(self) -> timedelta:
        """How long a process may go on after its task instance was finished or cleared."""
        return timedelta(seconds=self.finish_grace)


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{_option(each['loc'])}: {_words(each['msg'])}" for each in problems)


def _option(location: tuple[int | str, ...]) -> str:
    return f"[{SECTION}] " + ".".join(str(part) for part in location)


def _words(message: str) -> str:
    if _LABEL_VALUE in message:
        return "must be a Kubernetes label value: at most 63 letters, digits, '-', '_' and '.'"
    if _DNS_LABEL in message:
        return "must be a namespace's name: at most 63 lower-case letters, digits and '-'"
    return re.sub(r"^Value error, ", "", message)
