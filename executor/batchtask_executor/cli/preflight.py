"""`airflow batchtask preflight`."""

import sys
from collections.abc import Iterator

from airflow.models.pool import Pool
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from batchtask_api import submit_job
from batchtask_executor.checks import advice
from batchtask_executor.checks.health import examine
from batchtask_executor.claim.claimant import airflow_claimant
from batchtask_executor.claim.instance import Foreign, refusal
from batchtask_executor.cli.configuration import listed, option, say, settings_or_exit
from batchtask_executor.cluster.kube_api import KubeApi
from batchtask_executor.cluster.kube_premises import KubePremises
from batchtask_executor.cluster.tasks import TasksError
from batchtask_executor.config import SECTION, Settings
from batchtask_executor.jobs.job import BadJob, JobBuilder

_DEFAULT_SLOTS = 128


def preflight(args: object) -> None:
    """Say all that is wrong, and all that a user may not mean; change nothing."""
    del args
    settings = settings_or_exit()
    wrong = [*_of_the_jobs(settings), *_of_the_cluster(settings), *_of_the_claim(settings)]
    for problem in wrong:
        say(f"problem: {problem}")
    for warning in (*advice.unread(listed(SECTION)), *advice.warnings(option, settings)):
        say(f"warning: {warning}")
    for reminder in (*advice.reminders(option), *_pools()):
        say(f"note: {reminder}")
    if wrong:
        sys.exit(1)
    say("no problem found")


def _of_the_jobs(settings: Settings) -> Iterator[str]:
    try:
        builder = JobBuilder(settings, submit_job.schema())
    except BadJob as bad:
        yield str(bad)
        return
    for note in builder.notes:
        say(f"warning: {note}")
    default = option("operators", "default_queue") or "default"
    for queue in dict.fromkeys((default, *settings.queues)):
        try:
            builder.job(queue)
        except BadJob as bad:
            yield str(bad)


def _of_the_cluster(settings: Settings) -> Iterator[str]:
    yield from examine(KubePremises(settings, KubeApi(settings, connections=1)), settings)


def _of_the_claim(settings: Settings) -> Iterator[str]:
    claimant = airflow_claimant(settings)
    try:
        held, own = claimant.claims.read(), claimant.own_id.peek()
    except TasksError as error:
        yield str(error)
        return
    if held is not None and held.airflow != own:
        yield refusal(Foreign(held), settings)


def _pools() -> Iterator[str]:
    try:
        with create_session() as session:
            default = select(Pool.slots).where(Pool.pool == Pool.DEFAULT_POOL_NAME)
            slots = session.scalar(default)
    except SQLAlchemyError:
        return  # that the database can't be asked is told with the claim
    if slots == _DEFAULT_SLOTS:
        yield (
            f"the pool {Pool.DEFAULT_POOL_NAME} has Airflow's default, {slots} slots, and tasks "
            "that wait in AWS Batch hold theirs: raise it for large fan-outs"
        )
