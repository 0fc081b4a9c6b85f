"""The part of AWS STS that the controller asks: whose credentials these are."""

from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from batchtask_local.batch.arns import Arns
from batchtask_local.batch.protocol import HttpRequest

CONTENT_TYPE = "text/xml"

_IDENTITY = """\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{account}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
"""


def is_identity_call(request: HttpRequest) -> bool:
    """Whether this is STS's GetCallerIdentity, which is a form and no JSON."""
    if request.path != "/" or request.target is not None:
        return False
    form = parse_qs(request.body.decode(errors="replace"))
    return form.get("Action") == ["GetCallerIdentity"]


def identity(arns: Arns) -> bytes:
    """Return the reply: everyone is the one local user."""
    shown = _IDENTITY.format(arn=escape(arns.user), user_id="AIDALOCAL", account=arns.account)
    return shown.encode()
