"""Bearer tokens: the administrator's, and those issued to service accounts."""

import datetime as dt
import secrets
from collections.abc import Callable


class Tokens:
    """Who may talk to the server. Every valid token may do everything: there is no RBAC."""

    def __init__(self, admin_token: str, clock: Callable[[], dt.datetime]) -> None:
        self._admin_token = admin_token
        self._clock = clock
        self._issued: dict[str, dt.datetime] = {}

    def issue(self, seconds: int) -> tuple[str, dt.datetime]:
        """Return a new token and when it ends."""
        token, end = secrets.token_urlsafe(24), self._clock() + dt.timedelta(seconds=seconds)
        self._issued[token] = end
        return token, end

    def is_valid(self, authorization: str) -> bool:
        """Tell whether an Authorization header lets its bearer in."""
        token = authorization.removeprefix("Bearer ")
        if secrets.compare_digest(token.encode(), self._admin_token.encode()):
            return True
        end = self._issued.get(token)
        return end is not None and self._clock() < end
