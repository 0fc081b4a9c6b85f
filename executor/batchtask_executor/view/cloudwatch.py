"""What jobs write, read from CloudWatch Logs with the api-server's own AWS credentials."""

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from batchtask_executor.view.links import LogStream
from batchtask_executor.view.output import Output, OutputEvent, OutputUnavailable, Written

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

_PAGES: Final = 10
"""Of a stream at most, each of 10,000 lines or 1 MB: the log view reads it anew at each refresh."""
_CONFIG: Final = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"total_max_attempts": 2, "mode": "standard"},
    user_agent_extra="airflow-batchtask",
)


class CloudWatch:
    """CloudWatch Logs of every region that a stream may be in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[str | None, CloudWatchLogsClient] = {}

    def read(self, stream: LogStream) -> Written:
        """Read a stream from its head; see the port."""
        try:
            return self._read(self._client(stream.region), stream)
        except ClientError as error:
            return self._refused(error)
        except BotoCoreError as error:
            raise OutputUnavailable(str(error)) from error

    def _read(self, client: "CloudWatchLogsClient", stream: LogStream) -> Written:
        events: list[OutputEvent] = []
        at: dict[str, Any] = {}
        for _ in range(_PAGES):
            page = client.get_log_events(
                logGroupName=stream.group, logStreamName=stream.name, startFromHead=True, **at
            )
            events += [
                OutputEvent(
                    datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"]
                )
                for event in page["events"]
            ]
            token = page["nextForwardToken"]
            if at.get("nextToken") == token:  # the same again: this is how AWS says the end
                return Written(events)
            at = {"nextToken": token}
        return Written(events, is_whole=False)

    def _refused(self, error: ClientError) -> Written:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            return Written([])  # the container wrote nothing yet
        if code in {"AccessDeniedException", "AccessDenied"}:
            hint = "; give the api-server's AWS role logs:GetLogEvents on the log group"
            raise OutputUnavailable(f"{error}{hint}") from error
        raise OutputUnavailable(str(error)) from error

    def _client(self, region: str | None) -> "CloudWatchLogsClient":
        with self._lock:
            if region not in self._clients:
                self._clients[region] = boto3.Session(region_name=region).client(
                    "logs", config=_CONFIG
                )
            return self._clients[region]


_: type[Output] = CloudWatch
