"""AWS's wire protocols made from botocore's own service models: routes, and shapes of messages.

Batch speaks REST-JSON: a path for each operation. CloudWatch Logs speaks JSON 1.1: one path, and
the operation in a header.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, StructureShape
from botocore.validate import ParamValidator

from batchtask_local.batch.errors import ApiError, client_error
from batchtask_local.batch.model import Document

LOGS_TARGET = "Logs_20140328"
ALWAYS_OMITTED_BY_AWS = {("JobDetail", "startedAt")}
"""Members that the model calls required and AWS leaves out: a job that hasn't started has no
startedAt (seen against AWS in getmoto/moto#2202 and brendanhay/amazonka#561)."""


class UnknownOperationError(ApiError):
    """No operation of the two services has such a path or header."""


class InvalidReplyError(Exception):
    """A reply that botocore's model doesn't allow: a bug of local Batch's."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a service."""

    service: str
    name: str
    model: OperationModel
    method: str
    path: re.Pattern[str]

    @property
    def content_type(self) -> str:
        """What its replies say they are."""
        return "application/x-amz-json-1.1" if self.service == "logs" else "application/json"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What of a request says which operation it is, and with which input."""

    method: str
    path: str
    query: str
    target: str | None
    body: bytes


class Protocol:
    """Routes, parses and validates requests, and validates replies."""

    def __init__(self) -> None:
        self._operations = {
            (operation.service, operation.name): operation
            for service in ("batch", "logs")
            for operation in _operations(_service_model(service))
        }
        self._by_name = {name: operation for (_, name), operation in self._operations.items()}
        self._routes = [
            operation for operation in self._operations.values() if operation.service == "batch"
        ]
        self._exact = {
            (operation.method, path): operation
            for operation in self._routes
            if "{" not in (path := operation.model.http["requestUri"])
        }
        self._validator = ParamValidator()

    @property
    def names(self) -> frozenset[str]:
        """The operations' names."""
        return frozenset(self._by_name)

    def operation(self, request: HttpRequest) -> Operation:
        """Find a request's operation.

        Raises:
            UnknownOperationError: there is none.
        """
        found = self._find(request)
        if found is None:
            what = request.target or f"{request.method} {request.path}"
            message = f"local Batch knows no operation {what}"
            raise UnknownOperationError("UnknownOperationException", message, 404)
        return found

    def parse(self, operation: Operation, request: HttpRequest) -> dict[str, Any]:
        """Read and validate an operation's input.

        Raises:
            ApiError: it isn't JSON, or not what botocore's model says.
        """
        document = _json_object(request.body)
        document.update(_located(operation, request))
        self.validate(operation.name, document)
        return document

    def validate(self, name: str, document: Document) -> None:
        """Hold an operation's input against botocore's model, which allows no unknown member.

        Raises:
            ApiError: the model doesn't allow it; the text names the member.
        """
        shape = self._by_name[name].model.input_shape
        if shape is None:
            return
        report = self._validator.validate(dict(document), shape)
        if report.has_errors():
            raise client_error(_without_values(report.generate_report()))

    def serialize(self, operation: Operation, reply: Document) -> bytes:
        """Validate and write an operation's output.

        Raises:
            InvalidReplyError: it isn't what botocore's model says.
        """
        shape = operation.model.output_shape
        if shape is not None:
            report = self._validator.validate(dict(reply), shape)
            if report.has_errors():
                raise InvalidReplyError(
                    f"{operation.name}: {_without_values(report.generate_report())}"
                )
        return json.dumps(reply).encode()

    def _find(self, request: HttpRequest) -> Operation | None:
        if request.target is not None:
            prefix, _, name = request.target.partition(".")
            return self._operations.get(("logs", name)) if prefix == LOGS_TARGET else None
        exact = self._exact.get((request.method, request.path))
        if exact is not None:
            return exact
        for operation in self._routes:
            if operation.method == request.method and operation.path.fullmatch(request.path):
                return operation
        return None


@cache
def _service_model(service: str) -> ServiceModel:
    document = deepcopy(dict(Loader().load_service_model(service, "service-2")))
    if service == "batch":
        for shape, member in ALWAYS_OMITTED_BY_AWS:
            document["shapes"][shape]["required"].remove(member)
    return ServiceModel(document, service)


def _operations(service: ServiceModel) -> Iterator[Operation]:
    for name in service.operation_names:
        model = service.operation_model(name)
        uri = model.http["requestUri"]
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", uri)
        yield Operation(
            service.service_name, name, model, model.http["method"], re.compile(pattern)
        )


def _without_values(report: str) -> str:
    """Take the values out of a report, a line each: one may be a workload with its token."""
    return re.sub(r", value: .*, type: ", ", type: ", report)


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        document = json.loads(body)
    except ValueError:
        raise ApiError("SerializationException", "The request's body isn't JSON") from None
    if not isinstance(document, dict):
        raise ApiError("SerializationException", "The request's body isn't a JSON object")
    return document


def _located(operation: Operation, request: HttpRequest) -> Mapping[str, Any]:
    """Return the members that stand in the path and the query."""
    shape = operation.model.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    in_path = operation.path.fullmatch(request.path)
    queried = parse_qs(request.query)
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        key = member.serialization.get("name", name)
        if location == "uri" and in_path is not None:
            found[name] = unquote(in_path.group(key))
        elif location == "querystring" and key in queried:
            values = queried[key]
            found[name] = values if member.type_name == "list" else values[0]
    return found
