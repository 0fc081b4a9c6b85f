"""The commands beside serving: `release`, which an uninstall runs, and `check`, a chart's test."""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

from batchtask_api import names
from batchtask_controller import logs
from batchtask_controller.check import check
from batchtask_controller.clock import SystemClock
from batchtask_controller.cluster import Api, ClusterLease
from batchtask_controller.cluster_estate import ClusterEstate
from batchtask_controller.config import Settings
from batchtask_controller.handlers import login
from batchtask_controller.release import release
from batchtask_controller.tasks import Gone, TasksError

log = logging.getLogger(__name__)

_CONNECTIONS = 16
_CREDENTIALS = "The cluster comes from the pod's service account, else from KUBECONFIG."


def run_release(words: Sequence[str]) -> int:
    """Run `release`; return 0 once no task is left, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m batchtask_controller release",
        description="Delete every BatchTask of the cluster, wait for the controller to end their "
        "jobs, then drop the finalizers of those that are left, so that nothing hangs. "
        f"{_CREDENTIALS}",
    )
    parser.add_argument(
        "--all", action="store_true", required=True, help="say that every BatchTask is meant"
    )
    parser.add_argument(
        "--with-crd",
        action="store_true",
        help="delete the CRD first, so that no new task can come in between",
    )
    parser.add_argument(
        "--wait-seconds",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long a controller may take to end the jobs (default 60; 0: drop at once)",
    )
    options = parser.parse_args(words)
    return _run(lambda: _release(options.wait_seconds, with_definition=options.with_crd))


def run_check(words: Sequence[str]) -> int:
    """Run `check`; return 0 where all is well, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m batchtask_controller check",
        description="See that BatchTasks are served in every namespace of BATCHTASK_NAMESPACES, "
        "and that a controller leads: it renews the Lease BATCHTASK_LEASE_NAMESPACE/"
        f"BATCHTASK_LEASE_NAME. {_CREDENTIALS}",
    )
    parser.parse_args(words)
    return _run(lambda: _check(Settings()))


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "check": run_check,
    "release": run_release,
}


def _run(work: Callable[[], Coroutine[Any, Any, str | None]]) -> int:
    logs.configure("text", "INFO")
    try:
        wrong = asyncio.run(work())
    except (TasksError, OSError, ValueError) as error:
        wrong = str(error)
    if wrong:
        log.error("%s", wrong)
        return 1
    sys.stdout.write("ok\n")
    return 0


@contextlib.asynccontextmanager
async def _api() -> AsyncIterator[Api]:
    api = Api(login, connections=_CONNECTIONS)
    try:
        yield api
    finally:
        await api.close()


async def _release(wait_seconds: float, *, with_definition: bool) -> str | None:
    async with _api() as api:
        left = await release(
            ClusterEstate(api),
            SystemClock(),
            wait_seconds=wait_seconds,
            with_definition=with_definition,
        )
    if not left:
        return None
    named = ", ".join(map(str, left[:5]))
    return f"{len(left)} tasks are still there, held by other finalizers: {named}"


class _Cluster:
    """What `check` looks at, on a real API server."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._lease = ClusterLease(api, settings.lease_namespace, settings.lease_name)

    async def see_tasks(self, namespace: str) -> None:
        path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        try:
            await self._api.request("GET", path, query={"limit": "1"})
        except Gone as error:
            raise Gone(f"the cluster has no BatchTasks: install the CRD ({error})") from None

    async def lease(self) -> Mapping[str, Any] | None:
        return await self._lease.read()


async def _check(settings: Settings) -> str | None:
    async with _api() as api:
        return await check(_Cluster(api, settings), settings.namespaces, SystemClock())
