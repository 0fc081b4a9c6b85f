"""Words of others, made fit to be shown: without credentials, and no longer than is read."""

import re
from typing import Final

from batchtask_api.addresses import without_login

_CREDENTIAL: Final = re.compile(r"eyJ[A-Za-z0-9_+/=.-]{16,}")
"""How a JWT begins, and JSON in base64."""

_LONGEST: Final = 2000


def redacted(text: str) -> str:
    """The text without anything that may be a credential."""
    return _CREDENTIAL.sub("(redacted)", without_login(text))


def presentable(text: str) -> str:
    """The same, cut where it is longer than people read."""
    return redacted(text)[:_LONGEST]
