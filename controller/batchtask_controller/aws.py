"""The port `Batch` on boto3."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.exceptions as aws
from botocore.config import Config

from batchtask_api import Reason
from batchtask_api.addresses import without_login
from batchtask_controller.aws_errors import NO_CREDENTIALS, UNREADABLE, translate
from batchtask_controller.aws_job import job, reference
from batchtask_controller.aws_role import assumed
from batchtask_controller.batch import (
    Denied,
    Found,
    Job,
    JobPage,
    JobRef,
    JobRequest,
    JobStatus,
    LogStream,
    OutcomeUnknown,
    Unavailable,
)

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient
    from types_boto3_logs import CloudWatchLogsClient

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_THREADS = 24
_NEW_CLIENT_AFTER = 5.0
_REASON = 1024
_PAGE = 100
_LIST_PAGE = 1000
_LINES = 100
_BRIEF = 3.0


class _TooLate(Exception):
    """The send was called off in the last moment."""


class AwsBatch:
    """AWS Batch of one account and region, with botocore's own retries off.

    Raises:
        ValueError: no region is known, or AWS's own settings are wrong.
    """

    def __init__(
        self,
        region: str | None,
        endpoint_url: str | None,
        call_timeout_seconds: float,
        log_group: str = "/aws/batch/job",
        role_arn: str | None = None,
    ) -> None:
        """Ask with the credentials that boto3 finds, or with those of a role, taken on by them."""
        self._region = region
        self._role_arn = role_arn
        self._log_group = log_group
        try:
            self._session = boto3.Session(region_name=region)
        except aws.BotoCoreError as error:
            raise ValueError(f"AWS's settings can't be used: {error}") from None
        self._region_name = self._session.region_name
        if self._region_name is None:
            raise ValueError(
                "no AWS region is known: set BATCHTASK_AWS_REGION (or --aws-region) to the region "
                "of your job queues"
            )
        self._config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=min(call_timeout_seconds, 5),
            read_timeout=call_timeout_seconds,
            max_pool_connections=_THREADS,
            user_agent_extra="airflow-batchtask",
        )
        self._endpoint_url = endpoint_url
        self._sending = threading.local()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="aws")
        self._connecting = threading.Lock()
        self._renewed_at = float("-inf")
        self._located: str | None = None
        self._client: BatchClient | None = None
        self._logs_clients: dict[str | None, CloudWatchLogsClient] = {}
        with contextlib.suppress(*NO_CREDENTIALS):  # each call will say so
            self._session = self._in_role(self._session)
            self._client = self._new_client()

    def close(self) -> None:
        """Let no further call start."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in (self._client, *self._logs_clients.values()):
            if client is not None:
                client.close()

    def _in_role(self, session: boto3.Session) -> boto3.Session:
        if self._role_arn is None:
            return session
        return assumed(session, self._role_arn, self._endpoint_url, self._brief())

    def _new_client(self) -> BatchClient:
        client = self._session.client("batch", endpoint_url=self._endpoint_url, config=self._config)
        client.meta.events.register("before-send.batch.SubmitJob", self._before_send)
        return client

    def _connect(self) -> BatchClient:
        """The client; after a refusal a new one, with the credentials that there are now."""
        with self._connecting:
            if self._client is None:
                self._session = self._in_role(boto3.Session(region_name=self._region))
                self._check_account()
                self._client, self._logs_clients = self._new_client(), {}
                self._renewed_at = time.monotonic()
            return self._client

    def _check_account(self) -> None:
        """Refuse credentials of another account: what was submitted there can't be looked for."""
        if self._located is None:
            return
        account = self._account()
        if account not in {None, self._located}:
            raise Denied(
                f"The AWS credentials are now of account {account}; this controller began with "
                f"account {self._located}: start it anew to serve the other one",
                Reason.CREDENTIALS_REFUSED,
            )

    def _refused(self) -> None:
        """Have the credentials read anew at the next call: a client never does so of itself."""
        with self._connecting:
            if time.monotonic() - self._renewed_at >= _NEW_CLIENT_AFTER:
                self._client = None

    async def locate(self) -> tuple[str | None, str]:
        """The account, where it can be told, and the region."""
        self._located = await self._in_thread(self._account)
        return self._located, str(self._region_name)

    def _account(self) -> str | None:
        """The account: the role's, the credentials', else STS's, which any credentials may ask."""
        if self._role_arn is not None:
            return self._role_arn.split(":")[4]
        try:
            credentials = self._session.get_credentials()
            if credentials is None:
                return None
            return getattr(credentials, "account_id", None) or self._caller_account()
        except (aws.BotoCoreError, aws.ClientError, *UNREADABLE) as error:
            # Each call will say so of its own task, and work once this is mended.
            log.warning("the AWS account can't be told yet: %s", without_login(str(error)))
            return None

    def _caller_account(self) -> str:
        sts = self._session.client("sts", endpoint_url=self._endpoint_url, config=self._brief())
        with contextlib.closing(sts):
            return str(sts.get_caller_identity()["Account"])

    def _brief(self) -> Config:
        """For what is worth a few seconds only."""
        return self._config.merge(Config(connect_timeout=_BRIEF, read_timeout=_BRIEF))

    async def submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        """Submit a job, at most once."""
        return await self._in_thread(lambda: self._submit(request, may_send))

    async def describe(self, ids: Sequence[str]) -> Sequence[Job]:
        """The jobs of at most 100 ids."""
        with self._translated():
            reply = await self._in_thread(lambda: self._connect().describe_jobs(jobs=list(ids)))
            return [job(detail) for detail in reply["jobs"]]

    async def find(self, name_prefix: str, queue: str) -> Found:
        """All jobs of a queue whose names start so, earliest first, by AWS's clock."""
        with self._translated():
            return await self._in_thread(lambda: self._find(name_prefix, queue))

    async def terminate(self, job_id: str, reason: str) -> None:
        """End a job. TerminateJob serves in every state; CancelJob lies for running jobs."""
        with self._translated():
            await self._in_thread(
                lambda: self._connect().terminate_job(jobId=job_id, reason=reason[:_REASON])
            )

    async def list_jobs(
        self, queue: str, status: JobStatus, next_token: str | None = None
    ) -> JobPage:
        """The jobs of a queue that are in this state, a thousand a call."""
        token: dict[str, Any] = {} if next_token is None else {"nextToken": next_token}
        with self._translated():
            reply = await self._in_thread(
                lambda: self._connect().list_jobs(
                    jobQueue=queue, jobStatus=status.value, maxResults=_LIST_PAGE, **token
                )
            )
            return JobPage([*map(reference, reply["jobSummaryList"])], reply.get("nextToken"))

    async def snapshot(self, queue: str) -> Sequence[str]:
        """The ids of the jobs at the front of a queue."""
        with self._translated():
            reply = await self._in_thread(
                lambda: self._connect().get_job_queue_snapshot(jobQueue=queue)
            )
            front = reply.get("frontOfQueue", {}).get("jobs", [])
            return [waiting["jobArn"].rpartition("/")[2] for waiting in front]

    async def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to a job."""
        with self._translated():
            await self._in_thread(
                lambda: self._connect().tag_resource(resourceArn=arn, tags=dict(tags))
            )

    async def log_tail(self, stream: LogStream) -> Sequence[str]:
        """The last lines of a log stream, within a few seconds or not at all."""
        with self._translated():
            reply = await self._in_thread(
                lambda: self._logs(stream.region).get_log_events(
                    logGroupName=stream.group or self._log_group,
                    logStreamName=stream.name,
                    limit=_LINES,
                    startFromHead=False,
                )
            )
            return [event["message"] for event in reply["events"]]

    def _logs(self, region: str | None) -> CloudWatchLogsClient:
        """CloudWatch Logs of a region, else of ours, with the session's present credentials."""
        with self._connecting:
            if region not in self._logs_clients:
                self._logs_clients[region] = self._session.client(
                    "logs",
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=self._brief(),
                )
            return self._logs_clients[region]

    def _submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        self._sending.may_send, self._sending.begun = may_send, False
        with self._translated(lambda: bool(self._sending.begun)):
            try:
                reply = self._connect().submit_job(**request.parameters)
            except _TooLate:
                raise Unavailable("the send was called off: its time was over") from None
            return JobRef(reply["jobId"], request.name, reply.get("jobArn"))

    def _before_send(self, **_: object) -> None:
        if not self._sending.may_send():
            raise _TooLate
        self._sending.begun = True

    def _find(self, name_prefix: str, queue: str) -> Found:
        paginator = self._connect().get_paginator("list_jobs")
        pages = list(
            paginator.paginate(
                jobQueue=queue,
                filters=[{"name": "JOB_NAME", "values": [f"{name_prefix}*"]}],
                PaginationConfig={"PageSize": _PAGE},
            )
        )
        found = [reference(summary) for page in pages for summary in page["jobSummaryList"]]
        never = datetime.max.replace(tzinfo=UTC)
        found.sort(key=lambda ref: (ref.created_at or never, ref.id))
        return Found(found, as_of=_date(pages[0]))

    @contextmanager
    def _translated(self, may_have_effect: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Turn botocore's errors, and those of a reply that isn't AWS Batch's, into the port's."""
        try:
            yield
        except (aws.BotoCoreError, aws.ClientError) as error:
            translated = translate(error, may_have_effect=may_have_effect())
            if translated.reason is Reason.CREDENTIALS_REFUSED:
                self._refused()
            raise translated from None
        except UNREADABLE as error:
            kind = OutcomeUnknown if may_have_effect() else Unavailable
            said = without_login(f"{type(error).__name__}: {error}")
            raise kind(f"AWS Batch's answer can't be read: {said}") from None

    async def _in_thread(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _date(reply: Mapping[str, Any]) -> datetime:
    """When AWS answered, by its own clock: the one that it judges signatures by."""
    return parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])
