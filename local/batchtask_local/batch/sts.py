"""The part of AWS STS that the controller asks: whose credentials these are, and another role's."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from batchtask_local.batch.arns import Arns
from batchtask_local.batch.protocol import HttpRequest

CONTENT_TYPE = "text/xml"
LIFE = timedelta(hours=1)

_IDENTITY = """\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{account}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
"""
_ASSUMED = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser><AssumedRoleId>AROALOCAL:{name}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>local</SecretAccessKey>
      <SessionToken>local</SessionToken><Expiration>{expiration}</Expiration>
    </Credentials>
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>
</AssumeRoleResponse>
"""
_REFUSED = """\
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error>
  <RequestId>local</RequestId>
</ErrorResponse>
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """STS's answer, which is XML."""

    operation: str
    status: int
    body: bytes
    role_arn: str | None = None
    """The role that was asked for."""


def reply(request: HttpRequest, arns: Arns) -> Reply | None:
    """Answer a call of STS, which is a form and no JSON; None: it is none."""
    if request.path != "/" or request.target is not None:
        return None
    form = {key: values[0] for key, values in parse_qs(request.body.decode("latin-1")).items()}
    match form.get("Action"):
        case "GetCallerIdentity":
            return Reply("GetCallerIdentity", 200, _identity(arns))
        case "AssumeRole":
            return _assume(form, arns)
        case _:
            return None


def _identity(arns: Arns) -> bytes:
    """Everyone is the one local user."""
    shown = _IDENTITY.format(arn=escape(arns.user), user_id="AIDALOCAL", account=arns.account)
    return shown.encode()


def _assume(form: Mapping[str, str], arns: Arns) -> Reply:
    """Every role of this account may be taken on by everyone; another account's are not there."""
    role, name = form.get("RoleArn", ""), form.get("RoleSessionName", "")
    if role.split(":")[4:5] != [arns.account]:
        message = f"User: {arns.user} is not authorized to perform: sts:AssumeRole on: {role}"
        return Reply("AssumeRole", 403, _REFUSED.format(message=escape(message)).encode(), role)
    shown = _ASSUMED.format(
        name=escape(name),
        arn=escape(f"arn:aws:sts::{arns.account}:assumed-role/{role.rpartition('/')[2]}/{name}"),
        key=f"ASIA{secrets.token_hex(8).upper()}",
        expiration=f"{datetime.now(UTC) + LIFE:%Y-%m-%dT%H:%M:%SZ}",
    )
    return Reply("AssumeRole", 200, shown.encode(), role)
