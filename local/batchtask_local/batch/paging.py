"""Pages of the Describe operations' answers."""

from collections.abc import Sequence
from typing import TypeVar

from batchtask_local.batch.errors import refused
from batchtask_local.batch.model import Document

_T = TypeVar("_T")
MAX_RESULTS = 100


def page(items: Sequence[_T], request: Document) -> tuple[Sequence[_T], dict[str, str]]:
    """Return the part that a request's maxResults and nextToken ask for, and its nextToken.

    Raises:
        ApiError: one of the two isn't right.
    """
    size = request.get("maxResults", MAX_RESULTS)
    if not 1 <= size <= MAX_RESULTS:
        raise refused(f"maxResults must be between 1 and {MAX_RESULTS}")
    start = token_value(request.get("nextToken"), default=0)
    stop = start + size
    return items[start:stop], {"nextToken": str(stop)} if stop < len(items) else {}


def token_value(token: str | None, default: int) -> int:
    """Read a nextToken.

    Raises:
        ApiError: it isn't one of ours.
    """
    if token is None:
        return default
    if not token.isdecimal():
        raise refused("nextToken is invalid")
    return int(token)
