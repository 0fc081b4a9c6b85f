"""What `batchtask orphans` prints: the live jobs whose task is gone, over all accounts."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from batchtask_api import names
from batchtask_api.policy import ANY
from batchtask_controller.batch import Batch, Job
from batchtask_controller.clock import Clock
from batchtask_controller.config import Settings
from batchtask_controller.orphans import Scope, Search
from batchtask_controller.paced import PacedBatch
from batchtask_controller.pacer import Pacer
from batchtask_controller.places import Account, Place, Places, reach
from batchtask_controller.store import Store
from batchtask_controller.tasks import Tasks

log = logging.getLogger(__name__)

_CALLS_PER_SECOND = 5.0
"""The controller has the rest: AWS counts the calls of both together."""
_ROW = "{:<36}  {:<9}  {:<20}  {:<12}  {:<14}  {:<20}  {}"
_HEAD = ("JOB ID", "STATUS", "CREATED", "ACCOUNT", "REGION", "NAMESPACE", "NAME")


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found."""

    table: str
    unasked: tuple[str, ...]
    """The job queues whose jobs AWS Batch didn't tell: the log says why."""


async def list_orphans(
    settings: Settings,
    tasks: Tasks,
    batches: Mapping[Account, Batch],
    *,
    cluster_uid: str,
    queues: Sequence[str],
    clock: Clock,
) -> Listing:
    """Look once.

    Args:
        settings: the controller's.
        tasks: the cluster's.
        batches: AWS Batch of each account that the settings name.
        cluster_uid: whose jobs are looked for.
        queues: job queues to look in, beside those that tasks and policy name.
        clock: the time.

    Raises:
        BatchError: an account's jobs can't be told.
        TasksError: the tasks can't be listed.
    """
    store = Store()
    for task in await tasks.list():
        store.observe(task)
    places = await reach(batches, settings.home, settings.account_of)
    rows: list[str] = []
    unasked: list[str] = []
    for place in places.all:
        search = Search(
            batch=PacedBatch(batches[place.via], Pacer(_CALLS_PER_SECOND, clock)),
            store=store,
            is_ours=places.whose_is(place),
            tasks=tasks,
            scope=Scope(cluster_uid, frozenset(settings.namespaces)),
            clock=clock,
        )
        log.info("looking in account %s, region %s", place.account or "(unknown)", place.region)
        found = await search.look({*queues, *_allowed(settings, places, place)})
        rows += [_row(place, job) for job in found.orphans]
        unasked += found.unasked
        if found.distrust:
            log.warning("%s", found.distrust)
    table = "\n".join([_ROW.format(*_HEAD), *rows]) if rows else "no orphans"
    return Listing(table, tuple(unasked))


def _allowed(settings: Settings, places: Places, place: Place) -> Iterator[str]:
    """The job queues that the policy gives to the place's namespaces."""
    for namespace, allowed in (settings.policy or {}).items():
        if places.of_namespace(namespace) == place:
            yield from (queue for queue in allowed.job_queues if queue != ANY)


def _row(place: Place, job: Job) -> str:
    created = job.created_at.strftime("%Y-%m-%dT%H:%M:%SZ") if job.created_at else ""
    namespace = dict(job.tags).get(names.TAG_NAMESPACE, "")
    account = place.account or ""
    return _ROW.format(job.id, job.status, created, account, place.region, namespace, job.name)
