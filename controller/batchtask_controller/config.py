"""The controller's settings: field = `BATCHTASK_` environment variable = flag = chart value."""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from batchtask_api.names import DEFAULT_NAMESPACE
from batchtask_api.policy import Rules
from batchtask_controller.places import Account

PREFIX: Final = "BATCHTASK_"


def region_of_environment() -> str | None:
    """The region that AWS's own variable names."""
    return os.environ.get("AWS_REGION")


def host_and_process() -> str:
    """A name that no two processes of a cluster have at a time."""
    return f"{socket.gethostname()}-{os.getpid()}"


class Settings(BaseSettings):
    """Turn BatchTasks into AWS Batch jobs and write back what happens to them.

    AWS credentials come from where boto3 finds them; the cluster from the pod's service account,
    else from KUBECONFIG.

    Commands beside serving: `orphans` lists live jobs whose BatchTask is gone, `check` sees that a
    controller leads, `release` lets every BatchTask go before an uninstall; each has a --help.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        cli_prog_name="batchtask_controller",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_show_env_vars=True,
    )

    namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(DEFAULT_NAMESPACE,),
        min_length=1,
        description="The namespaces whose BatchTasks are served; in text with commas between.",
    )
    aws_region: str | None = Field(
        default_factory=region_of_environment,
        description="The AWS region; where absent, AWS_REGION's or what boto3 finds.",
    )
    aws_endpoint_url: str | None = Field(
        default=None,
        description="Another address of AWS Batch and CloudWatch Logs, such as local Batch's.",
    )
    accounts: Annotated[Mapping[str, Account], NoDecode] = Field(
        default={},
        description="JSON: by namespace, the roleArn to take on, the region and the endpointUrl of "
        "its jobs' account; a namespace that isn't there has the controller's own.",
    )
    policy: Annotated[Rules | None, NoDecode] = Field(
        default=None,
        description="JSON: by namespace, which jobQueues, jobDefinitions and eksNamespaces its "
        "BatchTasks may name; a namespace that isn't there may name none. Absent: all may all.",
    )
    calls_per_second: float = Field(
        default=40.0,
        gt=0,
        le=1000,
        description="Budget of AWS Batch calls; AWS allows an account and region 50 in all.",
    )
    poll_interval_seconds: float = Field(
        default=10.0,
        gt=0,
        description="How often each live job is described; longer over 5,000 live jobs.",
    )
    blocked_after_seconds: float = Field(
        default=900.0,
        gt=0,
        description="A job RUNNABLE for longer makes its task Blocked, with AWS's reason.",
    )
    orphan_sweep_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="How often live jobs whose BatchTask is gone are looked for; 0: never.",
    )
    terminate_orphans: bool = Field(
        default=False,
        description="End the jobs that such a sweep finds; else they are only reported.",
    )
    orphans_per_sweep: int = Field(
        default=10, ge=1, le=1000, description="How many of them one sweep ends at most."
    )
    log_tail: bool = Field(
        default=True,
        description="Put the last lines of a failed job's output, at most 4 KiB, into its task.",
    )
    log_group: str = Field(
        default="/aws/batch/job",
        min_length=1,
        description="The CloudWatch Logs group of jobs whose definition names none of its own.",
    )
    submit_concurrency: int = Field(
        default=16, ge=1, le=256, description="How many submissions may be under way at once."
    )
    api_connections: int = Field(
        default=32, ge=1, le=256, description="Connections to Kubernetes' API server."
    )
    lease_name: str = Field(
        default="batchtask-controller", description="Name of the Lease that the leader holds."
    )
    lease_namespace: str = Field(default="batchtask-system", description="Namespace of the Lease.")
    identity: str = Field(
        default_factory=host_and_process,
        min_length=1,
        description="Names this process in the Lease and in status.submission.",
    )
    health_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - the kubelet asks from outside the pod
        description="Address on which /livez, /readyz and /metrics answer.",
    )
    health_port: int = Field(default=8080, ge=0, le=65535, description="Port of the same.")
    log_format: Literal["json", "text"] = Field(
        default="json", description="json: one object a line; text: for a terminal."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="What is logged at least."
    )

    @property
    def home(self) -> Account:
        """The controller's own account and region."""
        return Account(region=self.aws_region, endpoint_url=self.aws_endpoint_url)

    @property
    def account_of(self) -> Mapping[str, Account]:
        """The account of each namespace that has one of its own."""
        home = self.home
        return {name: account.or_else(home) for name, account in self.accounts.items()}

    @field_validator("namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("accounts", "policy", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"this is no JSON: {error}") from None


def complaints(error: ValidationError) -> Sequence[str]:
    """Say of each wrong option of Settings which it is, why, and what it is for."""
    found = []
    for wrong in error.errors(include_url=False):
        option, *path = map(str, wrong["loc"])
        about = Settings.model_fields[option].description
        message = wrong["msg"].removeprefix("Value error, ")
        found.append(": ".join([PREFIX + option.upper(), *path, message]) + f" ({about})")
    return found


def unread(environment: Mapping[str, str]) -> Sequence[str]:
    """Say of each variable with our prefix that it is no option, and which may be meant."""
    options = [PREFIX + name.upper() for name in Settings.model_fields]
    return [
        f"{name} is no option of the controller, so it has no effect{_meant(name, options)}"
        for name in sorted(environment)
        if name.upper().startswith(PREFIX) and name.upper() not in options
    ]


def _meant(name: str, options: Sequence[str]) -> str:
    near = get_close_matches(name.upper(), options, n=1)
    return f": is {near[0]} meant?" if near else ""
