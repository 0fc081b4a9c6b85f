"""URLs, made fit to be shown."""

import re
from typing import Final

_LOGIN: Final = re.compile(r"(?<=://)[^\s/?#]*@")
"""What stands before the host, the password in it included."""


def without_login(text: str) -> str:
    """The text, with no user name or password left in the URLs that it holds."""
    return _LOGIN.sub("***@", text)
