"""Addresses in AWS's consoles, made from what a job's ARN tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import quote

_CONSOLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aws": "console.aws.amazon.com",
        "aws-cn": "console.amazonaws.cn",
        "aws-us-gov": "console.amazonaws-us-gov.com",
    }
)
"""The console's host by partition; others have none that is known publicly."""


@dataclass(frozen=True, slots=True)
class JobArn:
    """The parts of `arn:<partition>:batch:<region>:<account>:job/<id>`."""

    partition: str
    region: str
    job_id: str

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Read an ARN; None if it is no job's."""
        parts = (text or "").split(":", 5)
        if len(parts) != 6 or parts[2] != "batch" or not parts[5].startswith("job/"):
            return None
        return cls(partition=parts[1], region=parts[3], job_id=parts[5].removeprefix("job/"))


@dataclass(frozen=True, slots=True)
class LogStream:
    """Where in CloudWatch Logs what a job writes is."""

    group: str
    name: str
    region: str | None = None
    """None: nothing told it."""

    def __str__(self) -> str:
        return f"log group {self.group}, stream {self.name}"


def job_link(arn: str | None) -> str | None:
    """Where AWS Batch's console shows the job."""
    job = JobArn.parse(arn)
    if job is None or (console := _CONSOLES.get(job.partition)) is None:
        return None
    return f"https://{console}/batch/home?region={job.region}#jobs/detail/{quote(job.job_id)}"


def log_link(arn: str | None, stream: LogStream | None) -> str | None:
    """Where CloudWatch's console shows what the job wrote: the group's stream, in its region."""
    job = JobArn.parse(arn)
    if job is None or stream is None or (console := _CONSOLES.get(job.partition)) is None:
        return None
    return (
        f"https://{console}/cloudwatch/home?region={stream.region or job.region}"
        f"#logsV2:log-groups/log-group/{_fragment(stream.group)}"
        f"/log-events/{_fragment(stream.name)}"
    )


def _fragment(name: str) -> str:
    """A name as the console writes it behind its #: quoted twice, with $ in the place of %."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
