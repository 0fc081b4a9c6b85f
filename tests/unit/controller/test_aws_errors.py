"""What AWS's and botocore's errors mean, each by its code, its status or its class."""

import ssl
from typing import Any

import botocore.exceptions as aws
import pytest
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError, ProxyError

from batchtask_api import Reason
from batchtask_controller.aws_errors import ACCESS, CREDENTIALS, THROTTLING, translate
from batchtask_controller.batch import (
    BatchError,
    Denied,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
    Unsent,
)


def client_error(code: str, status: int = 400, message: str = "AWS's words") -> aws.ClientError:
    """What botocore makes of an error answer."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    return aws.ClientError(response, "SubmitJob")


@pytest.mark.parametrize("status", [400, 403, 429, 503])
@pytest.mark.parametrize("code", sorted(THROTTLING))
def test_throttling_has_many_names(code: str, status: int) -> None:
    assert isinstance(translate(client_error(code, status), may_have_effect=True), Throttled)


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", sorted(CREDENTIALS))
def test_refused_credentials_have_many_names(code: str, status: int) -> None:
    found = translate(client_error(code, status), may_have_effect=True)

    assert (type(found), found.reason) == (Denied, Reason.CREDENTIALS_REFUSED)


@pytest.mark.parametrize("code", sorted(ACCESS))
def test_a_missing_right_has_several_names(code: str) -> None:
    found = translate(client_error(code), may_have_effect=True)

    assert (type(found), found.reason) == (Denied, Reason.ACCESS_DENIED)


URL = "http://127.0.0.1"


def proxy_error(cause: Exception) -> aws.ProxyConnectionError:
    """What botocore makes of urllib3's, whether the proxy was reached or not."""
    return aws.ProxyConnectionError(proxy_url=URL, error=ProxyError("no proxy", cause))


RAISED: list[tuple[aws.BotoCoreError, type[BatchError]]] = [
    (aws.EndpointConnectionError(endpoint_url=URL, error="refused"), Unavailable),
    (aws.ConnectTimeoutError(endpoint_url=URL, error="timeout"), Unavailable),
    (proxy_error(NewConnectionError(HTTPConnection("127.0.0.1"), "refused")), Unavailable),
    (proxy_error(ConnectionResetError("dropped")), OutcomeUnknown),
    (aws.ProxyConnectionError(proxy_url=URL, error="no one knows"), OutcomeUnknown),
    (aws.SSLError(endpoint_url=URL, error=ssl.SSLCertVerificationError("bad")), Unavailable),
    (aws.SSLError(endpoint_url=URL, error=ssl.SSLEOFError("EOF")), OutcomeUnknown),
    (aws.ReadTimeoutError(endpoint_url=URL, error="timeout"), OutcomeUnknown),
    (aws.ConnectionClosedError(endpoint_url=URL, error="closed"), OutcomeUnknown),
    (aws.HTTPClientError(error="anything"), OutcomeUnknown),
    (aws.NoCredentialsError(), Denied),
    (aws.PartialCredentialsError(provider="env", cred_var="key"), Denied),
    (aws.CredentialRetrievalError(provider="sso", error_msg="expired"), Denied),
    (aws.ParamValidationError(report="Unknown parameter"), Rejected),
]


@pytest.mark.parametrize(("error", "kind"), RAISED)
def test_what_botocore_raises_has_its_meaning(
    error: aws.BotoCoreError, kind: type[BatchError]
) -> None:
    assert type(translate(error, may_have_effect=True)) is kind


@pytest.mark.parametrize("of", [aws.EndpointConnectionError, aws.ReadTimeoutError])
def test_the_login_in_an_endpoint_is_not_told(of: type[aws.HTTPClientError]) -> None:
    error = of(endpoint_url="https://me:secret@batch.example.com/v1/submitjob", error="refused")

    told = str(translate(error, may_have_effect=True))

    assert "https://***@batch.example.com" in told
    assert "secret" not in told


@pytest.mark.parametrize("status", [*range(300, 400), *range(500, 600), 408, 0])
def test_no_status_that_may_hide_a_success_proves_anything(status: int) -> None:
    found = translate(client_error("ServerException", status), may_have_effect=True)

    assert not isinstance(found, (Unsent, Rejected, NotFound))
