"""What AWS's and botocore's errors mean: the one place that knows their words."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import botocore.exceptions as aws
import urllib3.exceptions
from botocore.parsers import ResponseParserError

from batchtask_api import Reason
from batchtask_api.addresses import without_login
from batchtask_controller.batch import (
    BatchError,
    Denied,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
)

THROTTLING = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "ThrottledException",
        "Throttling",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "LimitExceededException",
    }
)
CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
ACCESS = frozenset(
    {"AccessDenied", "AccessDeniedException", "OptInRequired", "UnauthorizedOperation"}
)

_QUEUE_IS_OFF = r"queue.*(disabled|not in (the |an? )?(enabled|valid) state)|state is disabled"
_QUEUE_IS_GONE = r"queue.*(not found|does not exist|doesn't exist)"

_OTHER_SHAPE = (
    r"overrides should not be set for .*jobs"
    r"|(ecs|eks)PropertiesOverride (should not|must not|cannot|is not) "
)
"""Of AWS's words for overrides that the definition has no place for two are known: "Container
overrides should not be set for ecsProperties jobs." and "Container overrides or node overrides
should not be set for Batch on EKS jobs."; the rest is a guess at those for a plain container."""

_OF_ITS_SHAPE = (
    "; the job definition is of another shape than spec.job's overrides: with containerProperties "
    "go containerOverrides, with ecsProperties ecsPropertiesOverride, with eksProperties "
    "eksPropertiesOverride (Airflow's executor has the option shape for it)"
)

MESSAGES: Sequence[tuple[re.Pattern[str], type[BatchError], Reason, str]] = (
    # ClientException covers all of these; its message alone tells them apart. The last is advice.
    (re.compile(_QUEUE_IS_OFF, re.IGNORECASE), Unavailable, Reason.QUEUE_UNAVAILABLE, ""),
    (re.compile(_QUEUE_IS_GONE, re.IGNORECASE), NotFound, Reason.INVALID_SPEC, ""),
    (re.compile(_OTHER_SHAPE, re.IGNORECASE), Rejected, Reason.INVALID_SPEC, _OF_ITS_SHAPE),
)

_UNSENT = (aws.EndpointConnectionError, aws.ConnectTimeoutError)
"""No connection. Neither SSLError nor ProxyConnectionError is one of them: a connection can break
so after the request went; what caused them tells."""

_NEVER_CONNECTED = (
    ssl.SSLCertVerificationError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)
"""Causes that come before a request's first byte."""

UNREADABLE = (ResponseParserError, AttributeError, KeyError, TypeError, ValueError)
"""What botocore and we meet in a reply that isn't AWS Batch's."""

_OPERATIONS = frozenset(
    {
        "SubmitJob",
        "DescribeJobs",
        "ListJobs",
        "TerminateJob",
        "GetJobQueueSnapshot",
        "TagResource",
        "GetLogEvents",
    }
)

NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.NoAuthTokenError,
    aws.UnauthorizedSSOTokenError,
    aws.ProfileNotFound,
    aws.MetadataRetrievalError,
)

_REQUEST_TIMEOUT = 408


def translate(error: aws.BotoCoreError | aws.ClientError, *, may_have_effect: bool) -> BatchError:
    """The port's error for one of botocore's.

    Args:
        error: what botocore raised.
        may_have_effect: whether the call changes something, so that no answer is no proof.
    """
    if isinstance(error, aws.ClientError):
        return _refusal(error, may_have_effect=may_have_effect)
    said = without_login(str(error))  # botocore names the endpoint
    if isinstance(error, NO_CREDENTIALS):
        return Denied(f"No usable AWS credentials: {said}", Reason.CREDENTIALS_REFUSED)
    if isinstance(error, (aws.ParamValidationError, aws.InvalidRegionError)):
        return Rejected(said)
    if isinstance(error, _UNSENT) or _never_connected(error):
        return Unavailable(f"AWS Batch can't be reached: {said}")
    if may_have_effect:
        return OutcomeUnknown(f"No readable answer from AWS Batch: {said}")
    return Unavailable(f"No readable answer from AWS Batch: {said}")


def _never_connected(error: aws.BotoCoreError) -> bool:
    """Whether what broke is the way to AWS, before anything was sent on it."""
    cause = error.kwargs.get("error")
    return any(isinstance(part, _NEVER_CONNECTED) for part in _chain(cause))


def _chain(error: object) -> Iterator[object]:
    while isinstance(error, BaseException):
        yield error
        error = next((part for part in error.args if isinstance(part, BaseException)), None)


def _refusal(error: aws.ClientError, *, may_have_effect: bool) -> BatchError:
    answer: Mapping[str, Any] = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message") or code or error)
    metadata = answer.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    if error.operation_name not in _OPERATIONS:  # to get credentials, such as AssumeRole
        return Denied(
            f"No usable AWS credentials: {error.operation_name} failed: {code}: {message}",
            Reason.CREDENTIALS_REFUSED,
        )
    is_aws_word = bool(code) and not code.isdecimal()  # else botocore put the status in its place
    is_telling = is_aws_word or not may_have_effect  # a proxy may answer for what it has passed on
    if code in THROTTLING or (status == 429 and is_telling):
        return Throttled(f"{code}: {message}", _retry_after(metadata.get("HTTPHeaders", {})))
    if code in CREDENTIALS:
        return Denied(f"AWS refused the credentials: {code}: {message}", Reason.CREDENTIALS_REFUSED)
    if code in ACCESS or (status == 403 and is_telling):
        return Denied(f"AWS refused the right: {code}: {message}")
    if not 400 <= status < 500 or status == _REQUEST_TIMEOUT or not is_aws_word:
        kind = OutcomeUnknown if may_have_effect else Unavailable
        return kind(f"AWS Batch failed with {status} {code}: {message}")
    for pattern, of, reason, advice in MESSAGES:
        if pattern.search(message):
            return of(f"{code}: {message}{advice}", reason)
    return Rejected(f"{code}: {message}")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
