"""Answers one call of AWS's API after the other: faults, parsing, effect, reply, record."""

import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from batchtask_local.batch import errors, signature, sts
from batchtask_local.batch.arns import name_of
from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.faults import FaultGate, Faults, ReplyFault
from batchtask_local.batch.iam import Access, accesses
from batchtask_local.batch.journal import Entry, Journal
from batchtask_local.batch.operations import Call, World, handlers
from batchtask_local.batch.protocol import HttpRequest, InvalidReplyError, Operation, Protocol

log = logging.getLogger(__name__)

UNREADABLE = b"<html><body>502 Bad Gateway</body></html>"
_OUTCOMES = {"drop": "dropped", "delay": "delayed", "unreadable": "unreadable"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP reply, and what is to be done to it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay_seconds: float = 0.0
    is_dropped: bool = False


@dataclass(slots=True)
class _Exchange:
    """What becomes known of a call while it is answered."""

    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    arrived_at: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    begun_at: float = field(default_factory=time.perf_counter)
    operation: Operation | None = None
    caller: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    job_id: str | None = None
    iam: Sequence[Access] = ()
    took_effect: bool = False

    @property
    def name(self) -> str:
        return "" if self.operation is None else self.operation.name

    @property
    def job_name(self) -> str | None:
        return self.request.get("jobName")


class Api:
    """AWS Batch's API, and what is needed of CloudWatch Logs', without a server.

    Args:
        world: what local Batch holds.
        journal: records every call.
        faults: what goes wrong from the start.
        signature_life: how old a signature may be.
    """

    def __init__(
        self, world: World, journal: Journal, faults: Faults, signature_life: timedelta
    ) -> None:
        self._world = world
        self._journal = journal
        self._signature_life = signature_life
        self._protocol = Protocol()
        self._handlers = handlers(world)
        self.gate = self.gate_of(faults)

    def gate_of(self, faults: Faults) -> FaultGate:
        """Return a gate that lets through what the faults leave.

        Raises:
            ValueError: a fault names an operation that there isn't.
        """
        return FaultGate(faults, self._protocol.names, time.monotonic)

    def answer(self, request: HttpRequest, headers: Mapping[str, str]) -> Answer:
        """Answer a call."""
        exchange = _Exchange()
        try:
            answer, outcome = self._served(request, headers, exchange)
        except ApiError as error:
            answer, outcome = _error_answer(error, exchange), error.code
        except InvalidReplyError as error:
            log.exception("local Batch made a reply that AWS's model doesn't allow")
            answer, outcome = _error_answer(_server_error(str(error)), exchange), "invalid reply"
        self._record(exchange, answer, outcome)
        return answer

    def answer_sts(self, request: HttpRequest, headers: Mapping[str, str]) -> Answer | None:
        """Answer a call of STS; None: it is none.

        GetCallerIdentity needs no right, and goes unrecorded.
        """
        reply = sts.reply(request, self._world.arns)
        if reply is None:
            return None
        if reply.role_arn is not None:
            try:
                caller = signature.read(headers).access_key
            except ApiError as error:
                return _error_answer(error, _Exchange())
            self._record_sts(reply, reply.role_arn, caller)
        return Answer(reply.status, {"Content-Type": sts.CONTENT_TYPE}, reply.body)

    def perform(self, name: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do an operation from within, as its call would, without faults and unrecorded.

        Raises:
            ApiError: the call would be refused.
        """
        self._protocol.validate(name, request)
        return self._handlers[name](Call(request, len(json.dumps(request))))

    def _served(
        self, request: HttpRequest, headers: Mapping[str, str], exchange: _Exchange
    ) -> tuple[Answer, str]:
        operation = exchange.operation = self._protocol.operation(request)
        refusal = self.gate.refusal()
        signed = signature.read(headers)
        exchange.caller = signed.access_key
        exchange.request = self._protocol.parse(operation, request)
        exchange.job_id = exchange.request.get("jobId")
        exchange.iam = accesses(
            operation.name, exchange.request, self._world.arns, self._world.tags
        )
        if refusal is not None:
            raise refusal
        signed.check_age(datetime.now(UTC), self._signature_life)
        error = self.gate.error(operation.name, exchange.job_name)
        if error is not None:
            raise error
        spoiled = self.gate.spoiled_reply(operation.name, exchange.job_name)
        if spoiled is not None and not spoiled.takes_effect:
            return _spoil(_answer(operation, b"{}", exchange), spoiled, exchange)
        answer = _answer(operation, self._effect(operation, len(request.body), exchange), exchange)
        return (answer, "ok") if spoiled is None else _spoil(answer, spoiled, exchange)

    def _effect(self, operation: Operation, size: int, exchange: _Exchange) -> bytes:
        """Do what a call is for, and return its reply."""
        handler = self._handlers.get(operation.name)
        if handler is None:
            message = f"local Batch doesn't serve {operation.name}"
            raise ApiError("NotImplementedException", message, 501)
        self._check_access(operation, exchange)
        reply = handler(Call(exchange.request, size))
        exchange.took_effect = True
        exchange.job_id = reply.get("jobId", exchange.job_id)
        return self._protocol.serialize(operation, reply)

    def _check_access(self, operation: Operation, exchange: _Exchange) -> None:
        denied = self.gate.faults.denied_queues
        if operation.name != "SubmitJob" or not denied:
            return
        queue = name_of(exchange.request["jobQueue"])
        if queue in denied:
            arns = self._world.arns
            raise errors.access_denied(operation.name, arns.queue(queue), arns.user)

    def _record_sts(self, reply: sts.Reply, role_arn: str, caller: str) -> None:
        is_done = reply.status == HTTPStatus.OK
        self._journal.add(
            Entry(
                time=time.time_ns() // 1_000_000,
                operation=reply.operation,
                outcome="ok" if is_done else "AccessDenied",
                status=reply.status,
                request_id=str(uuid.uuid4()),
                caller=caller,
                took_effect=is_done,
                iam=[Access(f"sts:{reply.operation}", [role_arn])],
            )
        )

    def _record(self, exchange: _Exchange, answer: Answer, outcome: str) -> None:
        jobs = exchange.request.get("jobs")
        self._journal.add(
            Entry(
                time=exchange.arrived_at,
                operation=exchange.name,
                outcome=outcome,
                status=0 if answer.is_dropped else answer.status,
                request_id=exchange.request_id,
                caller=exchange.caller,
                took_effect=exchange.took_effect,
                job_name=exchange.job_name,
                job_id=exchange.job_id,
                job_count=None if jobs is None else len(jobs),
                iam=exchange.iam,
                milliseconds=round((time.perf_counter() - exchange.begun_at) * 1000, 3),
            )
        )


def _answer(operation: Operation, body: bytes, exchange: _Exchange) -> Answer:
    headers = {"Content-Type": operation.content_type, "x-amzn-RequestId": exchange.request_id}
    return Answer(200, headers, body)


def _error_answer(error: ApiError, exchange: _Exchange) -> Answer:
    message = error.message(exchange.request_id)
    body = json.dumps({"__type": error.code, "message": message}).encode()
    content_type = (
        "application/json" if exchange.operation is None else exchange.operation.content_type
    )
    headers = {
        "Content-Type": content_type,
        "x-amzn-RequestId": exchange.request_id,
        "x-amzn-ErrorType": error.code,
        **error.headers,
    }
    return Answer(error.status, headers, body)


def _spoil(answer: Answer, fault: ReplyFault, exchange: _Exchange) -> tuple[Answer, str]:
    match fault.outcome:
        case "drop":
            spoiled = replace(answer, is_dropped=True)
        case "delay":
            spoiled = replace(answer, delay_seconds=fault.seconds)
        case "unreadable":
            spoiled = replace(answer, body=UNREADABLE)
        case "error":
            error = _server_error("An internal error has occurred")
            return _error_answer(error, exchange), error.code
    return spoiled, _OUTCOMES[fault.outcome]


def _server_error(message: str) -> ApiError:
    return ApiError("ServerException", message, 500)
