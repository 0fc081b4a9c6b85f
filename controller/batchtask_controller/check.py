"""Checks an installation from inside the cluster: what `helm test` asks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from batchtask_controller.clock import Clock

_LOOK_AGAIN = 0.5
_RENEWED_WITHIN = 20.0
"""A leader renews its Lease every 2 s; a new one takes over within 15 s of the last one's death."""


class Installation(Protocol):
    """What is looked at. Every method may raise Gone, Refused and Unreachable."""

    async def see_tasks(self, namespace: str) -> None:
        """Read BatchTasks of the namespace.

        Raises:
            Gone: the cluster has no such kind.
        """

    async def lease(self) -> Mapping[str, Any] | None:
        """The controllers' Lease, None where there is none yet."""


async def check(installation: Installation, namespaces: Sequence[str], clock: Clock) -> str | None:
    """See that BatchTasks are served and that a controller leads.

    Returns:
        What is wrong, in words; None where all is well.
    """
    for namespace in namespaces:
        await installation.see_tasks(namespace)
    started = clock.monotonic()
    first = renewed = await installation.lease()
    while not _has_been_renewed(first, renewed):
        if clock.monotonic() - started > _RENEWED_WITHIN:
            return _what_is_wrong(renewed)
        await asyncio.sleep(_LOOK_AGAIN)
        renewed = await installation.lease()
    return None


def _has_been_renewed(first: Mapping[str, Any] | None, last: Mapping[str, Any] | None) -> bool:
    return (
        last is not None
        and bool(_holder(last))
        and last["metadata"] != (first or {}).get("metadata")
    )


def _holder(lease: Mapping[str, Any]) -> str:
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def _what_is_wrong(lease: Mapping[str, Any] | None) -> str:
    if lease is None:
        return "no controller has ever led: there is no Lease; see the controller's log"
    holder = _holder(lease) or "nobody"
    return (
        f"no controller leads: the Lease of {holder} was not renewed for {_RENEWED_WITHIN:.0f} s; "
        "see the controller's log"
    )
