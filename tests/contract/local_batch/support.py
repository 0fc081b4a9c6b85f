"""boto3 clients of local Batch that check every reply, and the few verbs that its tests need."""

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from types_boto3_batch import BatchClient
from types_boto3_batch.type_defs import JobDetailTypeDef
from types_boto3_logs import CloudWatchLogsClient

_T = TypeVar("_T")
SECONDS = 60.0
"""How long anything may take before a test gives up."""
TIME_SCALE = 0.02
"""Batch's minute lasts 1.2 s: the shortest time-out that AWS takes."""
NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]
ACCESS_KEY = "AKIALOCAL"


def a_session() -> boto3.Session:
    return boto3.Session(ACCESS_KEY, "secret", region_name="us-east-1")


_SESSION = a_session()


def batch_client(url: str, read_timeout: float = SECONDS) -> BatchClient:
    client: BatchClient = _SESSION.client("batch", endpoint_url=url, config=_config(read_timeout))
    client.meta.events.register("before-parse.batch", _checker("batch"))
    return client


def logs_client(url: str) -> CloudWatchLogsClient:
    client: CloudWatchLogsClient = _SESSION.client(
        "logs", endpoint_url=url, config=_config(SECONDS)
    )
    client.meta.events.register("before-parse.logs", _checker("logs"))
    return client


def _config(read_timeout: float) -> Config:
    return Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=read_timeout)


def _checker(service: str) -> Callable[..., None]:
    """Return a hook that holds every good reply, as it came, against botocore's own model."""
    document = Loader().load_service_model(service, "service-2")
    model = ServiceModel(document, service)

    def check(operation_model: Any, response_dict: Any, **_: Any) -> None:
        if response_dict["status_code"] != 200 or response_dict["body"][:1] != b"{":
            return
        shape = model.operation_model(operation_model.name).output_shape
        if shape is None:
            return
        report = ParamValidator().validate(json.loads(response_dict["body"]), shape)
        complaints = [line for line in report.generate_report().splitlines() if line]
        # AWS leaves it out too, of a job that hasn't started: getmoto/moto#2202.
        missing = "Missing required parameter in jobs["
        unexpected = [
            line
            for line in complaints
            if not (line.startswith(missing) and line.endswith(']: "startedAt"'))
        ]
        assert not unexpected

    return check


@dataclass(frozen=True)
class Jobs:
    """Submits jobs, and waits for what becomes of them."""

    client: BatchClient
    queue: str
    definition: str

    def submit(self, *command: str, **more: Any) -> str:
        """Submit a job with a command and return its id."""
        overrides = {"command": list(command)} if command else {}
        request = {
            "jobName": "job",
            "jobQueue": self.queue,
            "jobDefinition": self.definition,
            **({"containerOverrides": overrides} if overrides else {}),
            **more,
        }
        return self.client.submit_job(**request)["jobId"]

    def shell(self, script: str, **more: Any) -> str:
        """Submit a job that runs a shell script."""
        return self.submit("sh", "-c", script, **more)

    def get(self, job_id: str) -> JobDetailTypeDef:
        (job,) = self.client.describe_jobs(jobs=[job_id])["jobs"]
        return job

    def wait(self, job_id: str, *statuses: str) -> JobDetailTypeDef:
        """Wait until a job has one of the states (else: until it has ended) and return it."""
        wanted = set(statuses or ("SUCCEEDED", "FAILED"))
        last = "never described"

        def reached() -> JobDetailTypeDef | None:
            nonlocal last
            job = self.get(job_id)
            last = job["status"]
            return job if last in wanted else None

        return until(reached, lambda: f"the job is {last}, not {wanted}")

    def run(self, *command: str, **more: Any) -> JobDetailTypeDef:
        """Submit a job and return it once it has ended."""
        return self.wait(self.submit(*command, **more))


def until(look: Callable[[], _T | None], complaint: Callable[[], str]) -> _T:
    """Look again and again until something is there."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(complaint())


def make_queue(
    client: BatchClient, name: str, vcpus: int = 4, priority: int = 1, **more: Any
) -> str:
    """Make a queue with an environment of its own, and return its name."""
    client.create_compute_environment(
        computeEnvironmentName=name,
        type="MANAGED",
        computeResources={"type": "EC2", "maxvCpus": vcpus},
    )
    client.create_job_queue(
        jobQueueName=name,
        priority=priority,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}],
        **more,
    )
    return name


def make_definition(client: BatchClient, name: str, **more: Any) -> str:
    """Register a definition and return its ARN."""
    properties = {"image": "busybox", "command": ["true"], "resourceRequirements": NEEDS}
    request = {"jobDefinitionName": name, "type": "container", "containerProperties": properties}
    return client.register_job_definition(**{**request, **more})["jobDefinitionArn"]


def logging_to(group: str, **options: str) -> dict[str, Any]:
    """What of a definition makes its jobs write to a log group of its own."""
    options = {"awslogs-group": group, **options}
    logs = {"logDriver": "awslogs", "options": options}
    properties = {"image": "busybox", "resourceRequirements": NEEDS, "logConfiguration": logs}
    return {"containerProperties": properties}


def messages(logs: CloudWatchLogsClient, stream: str, group: str = "/aws/batch/job") -> list[str]:
    """Return the lines of a log stream."""
    reply = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    return [event["message"] for event in reply["events"]]


def error(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Return the code and the message of the error that a call ends in."""
    try:
        call(**request)
    except ClientError as caught:
        return caught.response["Error"]["Code"], caught.response["Error"]["Message"]
    raise AssertionError("the call was served")


def names(summaries: Collection[Any]) -> list[str]:
    return [summary["jobName"] for summary in summaries]
