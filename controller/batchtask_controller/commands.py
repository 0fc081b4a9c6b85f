"""The commands beside serving: for people, for the chart's test, and before an uninstall."""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

import pydantic

from batchtask_api import names
from batchtask_api.addresses import without_login
from batchtask_controller import logs
from batchtask_controller.batch import BatchError
from batchtask_controller.check import check
from batchtask_controller.clients import clients
from batchtask_controller.clock import SystemClock
from batchtask_controller.cluster import Api, ClusterLease, ClusterTasks, cluster_uid
from batchtask_controller.cluster_estate import ClusterEstate
from batchtask_controller.config import Settings, complaints
from batchtask_controller.handlers import login
from batchtask_controller.orphan_list import list_orphans
from batchtask_controller.release import release
from batchtask_controller.tasks import Gone, TasksError
from batchtask_controller.timings import Timings

log = logging.getLogger(__name__)

_CONNECTIONS = 16
_CREDENTIALS = "The cluster comes from the pod's service account, else from KUBECONFIG."


def run_release(words: Sequence[str]) -> int:
    """Run `release`; return 0 once no task is left, else 1."""
    parser = argparse.ArgumentParser(
        prog="batchtask release",
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
        prog="batchtask check",
        description="See that BatchTasks are served in every namespace of BATCHTASK_NAMESPACES, "
        "and that a controller leads: it renews the Lease BATCHTASK_LEASE_NAMESPACE/"
        f"BATCHTASK_LEASE_NAME. {_CREDENTIALS}",
    )
    parser.parse_args(words)
    return _run(lambda: _check(Settings()))


def run_orphans(words: Sequence[str]) -> int:
    """Run `orphans`; return 0 where every job queue was asked, else 1."""
    parser = argparse.ArgumentParser(
        prog="batchtask orphans",
        description="List the live jobs of this cluster, over an hour old, whose BatchTask is gone "
        "and which were not retained. Nothing is ended. It looks in the job queues that the "
        "BatchTasks and BATCHTASK_POLICY name. The settings are the controller's, from the same "
        "variables, so it is best run in its pod: kubectl exec -n batchtask-system "
        f"deploy/batchtask-controller -- python -m batchtask_controller orphans. {_CREDENTIALS}",
    )
    parser.add_argument(
        "--queue",
        action="append",
        default=[],
        metavar="NAME",
        help="look in this job queue as well; may be repeated",
    )
    options = parser.parse_args(words)
    return _run(lambda: _orphans(Settings(), options.queue))


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "check": run_check,
    "orphans": run_orphans,
    "release": run_release,
}


class _Wrong(Exception):
    """What was asked for isn't so; the text says why."""


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    logs.configure("text", "INFO")
    try:
        asyncio.run(work())
    except pydantic.ValidationError as error:
        log.error("%s", "; ".join(complaints(error)))  # noqa: TRY400 - said in words
        return 1
    except (_Wrong, TasksError, BatchError, OSError, ValueError) as error:
        log.error("%s", without_login(str(error)))  # noqa: TRY400 - said in words
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@contextlib.asynccontextmanager
async def _api() -> AsyncIterator[Api]:
    api = Api(login, connections=_CONNECTIONS)
    try:
        yield api
    finally:
        await api.close()


async def _release(wait_seconds: float, *, with_definition: bool) -> None:
    async with _api() as api:
        left = await release(
            ClusterEstate(api),
            SystemClock(),
            wait_seconds=wait_seconds,
            with_definition=with_definition,
        )
    if left:
        named = ", ".join(map(str, left[:5]))
        raise _Wrong(f"{len(left)} tasks are still there, held by other finalizers: {named}")
    _say("ok")


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


async def _check(settings: Settings) -> None:
    async with _api() as api:
        wrong = await check(_Cluster(api, settings), settings.namespaces, SystemClock())
    if wrong:
        raise _Wrong(wrong)
    _say("ok")


async def _orphans(settings: Settings, queues: Sequence[str]) -> None:
    with clients(settings, Timings()) as batches:
        async with _api() as api:
            listing = await list_orphans(
                settings,
                ClusterTasks(api, settings.namespaces),
                batches,
                cluster_uid=await cluster_uid(api),
                queues=queues,
                clock=SystemClock(),
            )
    _say(listing.table)
    if listing.unasked:
        raise _Wrong(f"not all was looked at: {', '.join(listing.unasked)} could not be asked")
