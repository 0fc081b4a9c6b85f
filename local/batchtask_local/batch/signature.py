"""What local Batch looks at of AWS's request signatures: who signed, and when; never whether."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batchtask_local.batch.errors import ApiError

_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/")
_FORMAT = "%Y%m%dT%H%M%SZ"
_RESOLUTION = timedelta(seconds=1)
"""Signatures are stamped with whole seconds."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The access key's id and the time of a signature."""

    access_key: str
    signed_at: datetime

    def check_age(self, now: datetime, life: timedelta) -> None:
        """Refuse a request that was signed too long ago.

        Raises:
            ApiError: it was.
        """
        oldest = now - life
        if self.signed_at + _RESOLUTION < oldest:
            message = (
                f"Signature expired: {self.signed_at:{_FORMAT}} is now earlier than "
                f"{oldest:{_FORMAT}} ({now:{_FORMAT}} - {life.total_seconds() / 60:g} min.)"
            )
            raise ApiError("InvalidSignatureException", message, 403)


def read(headers: Mapping[str, str]) -> Signature:
    """Read a request's signature.

    Raises:
        ApiError: it has none.
    """
    credential = _CREDENTIAL.match(headers.get("Authorization", ""))
    stamp = headers.get("X-Amz-Date", "")
    try:
        signed_at = datetime.strptime(stamp, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        signed_at = None
    if credential is None or signed_at is None:
        message = "Missing Authentication Token"
        raise ApiError("MissingAuthenticationTokenException", message, 403)
    return Signature(credential.group(1), signed_at)
