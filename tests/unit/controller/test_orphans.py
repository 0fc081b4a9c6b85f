"""Live jobs whose task is gone: which ones are, and above all which ones must be left alone."""

import asyncio
import logging
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from batchtask_api import DeletionPolicy, names
from batchtask_controller.batch import Denied, Job, JobRequest, JobStatus
from batchtask_controller.orphans import LIVE, OLD_ENOUGH, Scope, judge, task_uid
from batchtask_controller.tasks import Unreachable
from builders import CREATED, JOB, a_job, a_reference, a_task, a_uid
from fakes.cluster import Failure
from unit.controller.world import CLUSTER_UID, World

NOW = CREATED + timedelta(hours=2)
SCOPE = Scope(CLUSTER_UID, frozenset({names.DEFAULT_NAMESPACE}))
HOUR = 3600.0


def an_orphan(number: int = 1, status: JobStatus = JobStatus.RUNNING, **tags: str | None) -> Job:
    """A job of ours, two hours old; tags by their constants' names, None to leave one out."""
    all_tags = {
        "TAG_CLUSTER": CLUSTER_UID,
        "TAG_NAMESPACE": names.DEFAULT_NAMESPACE,
        "TAG_TASK": a_uid(number),
        **tags,
    }
    pairs = [(getattr(names, name), value) for name, value in all_tags.items()]
    kept = tuple((name, value) for name, value in pairs if value is not None)
    return a_job(status, id=f"job-{number}", tags=kept)


def judged(*jobs: Job, known: int = 100, tasks: frozenset[str] = frozenset()) -> list[str]:
    """The ids of the orphans among jobs."""
    return [job.id for job in judge(jobs, known, tasks, SCOPE, NOW).orphans]


# -- the decision ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", LIVE)
def test_a_live_job_of_ours_without_its_task_is_an_orphan(status: JobStatus) -> None:
    assert judged(an_orphan(status=status)) == ["job-1"]


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(an_orphan(TAG_CLUSTER="another"), id="of another cluster"),
        pytest.param(an_orphan(TAG_CLUSTER=None), id="of nobody"),
        pytest.param(an_orphan(TAG_NAMESPACE="another"), id="of a namespace outside the scope"),
        pytest.param(an_orphan(TAG_NAMESPACE=None), id="of a namespace that isn't known"),
        pytest.param(an_orphan(TAG_TASK=None), id="of no task"),
        pytest.param(an_orphan(TAG_RETAINED="true"), id="retained"),
        pytest.param(an_orphan(status=JobStatus.SUCCEEDED), id="ended meanwhile"),
        pytest.param(replace(an_orphan(), created_at=None), id="of unknown age"),
        pytest.param(
            replace(an_orphan(), created_at=NOW - OLD_ENOUGH + timedelta(seconds=1)), id="young"
        ),
    ],
)
def test_a_job_that_may_be_anothers_or_wanted_is_none(job: Job) -> None:
    assert judged(job) == []


def test_a_job_whose_task_is_there_is_none() -> None:
    assert judged(an_orphan(), tasks=frozenset({a_uid(1)})) == []


def test_the_oldest_come_first() -> None:
    older = replace(an_orphan(2), created_at=CREATED - timedelta(hours=1))

    assert judged(an_orphan(1), older) == ["job-2", "job-1"]


@pytest.mark.parametrize(
    ("orphans", "known", "is_distrusted"),
    [(10, 0, False), (11, 0, True), (11, 10, True), (11, 11, False), (500, 499, True)],
)
def test_more_than_half_of_all_jobs_are_no_orphans(
    orphans: int, known: int, is_distrusted: bool
) -> None:
    jobs = [an_orphan(number) for number in range(1, orphans + 1)]

    verdict = judge(jobs, known, frozenset(), SCOPE, NOW)

    assert (verdict.distrust is not None) is is_distrusted
    assert len(verdict.orphans) == orphans


def test_young_jobs_without_tasks_count_toward_distrust() -> None:
    young = [replace(an_orphan(number), created_at=NOW) for number in range(2, 30)]

    verdict = judge([an_orphan(1), *young], 5, frozenset(), SCOPE, NOW)

    assert [job.id for job in verdict.orphans] == ["job-1"]
    assert verdict.distrust is not None


def test_jobs_that_are_anothers_do_not_count_toward_distrust() -> None:
    others = [an_orphan(number, TAG_CLUSTER="another") for number in range(2, 30)]

    assert judge([an_orphan(1), *others], 5, frozenset(), SCOPE, NOW).distrust is None


def test_a_jobs_name_holds_its_tasks_uid() -> None:
    uid = str(uuid.uuid4())

    assert task_uid(a_reference(name=f"sales-load-{uid}-12")) == uid
    assert task_uid(a_reference(name=f"sales-load-{uid}")) is None
    assert task_uid(a_reference(name="nightly-1")) is None


# -- the sweep ------------------------------------------------------------------------------------


async def with_orphans(
    world: World, orphans: int, kept: int = 1, orphans_per_sweep: int = 0
) -> list[str]:
    """Jobs that run, of which some lose their task; the ids of those, oldest first."""
    world.start(orphan_sweep_seconds=HOUR, orphans_per_sweep=orphans_per_sweep)
    total = orphans + kept
    for number in range(1, total + 1):
        world.cluster.add(a_task(f"bt-{number}"))
        await asyncio.sleep(1)
    await asyncio.sleep(5)
    ids = [world.job_of(f"bt-{number}") for number in range(1, total + 1)]
    for job_id in ids:
        world.batch.advance(job_id, JobStatus.RUNNING)
    await asyncio.sleep(11)
    for number in range(1, orphans + 1):
        world.cluster.force_out(f"bt-{number}")
    return ids[:orphans]


def live(world: World) -> int:
    """How many jobs have not ended."""
    return sum(not held.job.status.has_ended for held in world.batch.jobs.values())


def reports(caplog: pytest.LogCaptureFixture) -> int:
    """How many orphans were reported."""
    return sum("its BatchTask is gone" in record.message for record in caplog.records)


async def test_by_default_orphans_are_reported_once_and_left_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await with_orphans(world, 2, kept=3)

    await asyncio.sleep(5 * HOUR)

    assert reports(caplog) == 2
    assert live(world) == 5
    assert world.batch.calls["terminate"] == 0


async def test_orphans_are_ended_where_that_is_wanted_and_no_other_job(world: World) -> None:
    orphans = await with_orphans(world, 2, kept=3, orphans_per_sweep=10)

    await asyncio.sleep(2 * HOUR + 120)

    assert {world.batch.jobs[each].job.status for each in orphans} == {JobStatus.FAILED}
    assert live(world) == 3


async def test_a_sweep_ends_no_more_than_it_may_and_the_oldest_first(world: World) -> None:
    orphans = await with_orphans(world, 5, kept=6, orphans_per_sweep=2)

    await asyncio.sleep(HOUR + 120)
    assert [each for each in orphans if world.batch.jobs[each].job.status.has_ended] == orphans[:2]
    await asyncio.sleep(2 * HOUR)

    assert live(world) == 6


async def test_of_a_restored_etcd_nothing_is_ended_and_the_log_says_why(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await with_orphans(world, 20, kept=3, orphans_per_sweep=10)

    await asyncio.sleep(3 * HOUR)

    assert live(world) == 23
    errors = [each.message for each in caplog.records if each.levelno == logging.ERROR]
    assert any("20 of 23 live jobs" in each for each in errors)


async def test_a_retained_job_runs_on(world: World) -> None:
    world.start(orphan_sweep_seconds=HOUR, orphans_per_sweep=10)
    world.cluster.add(a_task("bt-1", policy=DeletionPolicy.RETAIN))
    world.cluster.add(a_task("bt-2"))
    await asyncio.sleep(5)
    job_id = world.job_of("bt-1")
    await world.run_job("bt-1", JobStatus.RUNNING)
    world.cluster.remove("bt-1")

    await asyncio.sleep(3 * HOUR)

    assert not world.cluster.has("bt-1")
    assert world.batch.jobs[job_id].job.status is JobStatus.RUNNING


async def test_jobs_that_others_submit_to_the_same_queue_are_left(world: World) -> None:
    world.start(orphan_sweep_seconds=HOUR, orphans_per_sweep=10)
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    theirs = f"etl-{a_uid(77)}-1"
    job = await world.batch.submit(JobRequest("nightly", {**JOB, "jobName": "x"}), lambda: True)
    like_ours = {
        **JOB,
        "jobName": theirs,
        "tags": {
            names.TAG_CLUSTER: "another-cluster",
            names.TAG_NAMESPACE: names.DEFAULT_NAMESPACE,
            names.TAG_TASK: a_uid(77),
        },
    }
    other = await world.batch.submit(JobRequest(theirs, like_ours), lambda: True)
    world.unannounced.clear()  # they were submitted by others, without an intent
    await asyncio.sleep(3 * HOUR)

    assert not world.batch.jobs[job.id].job.status.has_ended
    assert not world.batch.jobs[other.id].job.status.has_ended
    assert world.batch.calls["terminate"] == 0


async def test_a_scope_that_cant_be_listed_ends_nothing(world: World) -> None:
    await with_orphans(world, 1, kept=2, orphans_per_sweep=10)
    world.cluster.fail_next("uids", *[Failure(Unreachable("no answer"))] * 20)

    await asyncio.sleep(HOUR + 300)
    assert live(world) == 3
    await asyncio.sleep(2 * HOUR)

    assert live(world) == 2


async def test_a_queue_that_cant_be_listed_does_not_hide_another(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.cluster.add(a_task("bt-9", job={**JOB, "jobQueue": "another"}))
    await with_orphans(world, 1, kept=2, orphans_per_sweep=10)
    world.batch.queues.discard("another")

    await asyncio.sleep(2 * HOUR)

    assert "job queue another could not be swept" in caplog.text
    assert live(world) == 2


async def test_all_pages_are_read(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.batch.page_size = 2
    await with_orphans(world, 5, kept=6)

    await asyncio.sleep(2 * HOUR)

    assert reports(caplog) == 5


async def test_a_sweep_describes_only_jobs_without_a_task(world: World) -> None:
    await with_orphans(world, 0, kept=5)
    listed = world.batch.calls["list_jobs"]
    polls = world.batch.calls["describe"]

    await asyncio.sleep(HOUR)

    assert world.batch.calls["list_jobs"] - listed == len(LIVE)
    assert world.batch.calls["describe"] - polls == pytest.approx(HOUR / 10, abs=2)


async def test_a_failing_sweep_stops_nothing_else(world: World) -> None:
    await with_orphans(world, 1, kept=2)
    world.batch.fail_next("list_jobs", *[Denied("AWS refused the right")] * 100)

    await asyncio.sleep(2 * HOUR)
    await world.run_job("bt-3")

    assert world.controllers[0].crew.is_whole
    assert world.phase("bt-3").is_finished


async def test_a_standby_sweeps_nothing(world: World) -> None:
    await with_orphans(world, 1, kept=1, orphans_per_sweep=10)
    two = world.start("two", orphan_sweep_seconds=60.0, orphans_per_sweep=10)
    await asyncio.sleep(120)  # the leader has had its first sweep

    before = world.batch.calls["list_jobs"]
    await asyncio.sleep(1800)

    assert not two.crew.acts
    assert world.batch.calls["list_jobs"] == before
