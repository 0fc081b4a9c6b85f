"""One submission: the intent first, then at most one send, and what each outcome leads to."""

import asyncio
from datetime import timedelta

import pytest

from batchtask_api import ConditionStatus, ConditionType, Phase, Reason
from batchtask_controller.batch import (
    BatchError,
    Denied,
    JobRequest,
    JobStatus,
    Rejected,
    Throttled,
    Unavailable,
)
from batchtask_controller.tasks import Conflict, Unreachable
from builders import JOB, a_secret, a_task, a_uid, an_identity
from fakes.batch import LostReply
from fakes.cluster import Failure
from unit.controller.world import World

LOST_PATCH = Failure(Unreachable("the API server does not answer"), takes_effect=True)
NO_PATCH = Failure(Unreachable("the API server does not answer"))


def blocked(world: World) -> tuple[ConditionStatus, str] | None:
    """Whether the task says that it is blocked, and why."""
    found = world.cluster.task("bt-1").status.condition(ConditionType.BLOCKED)
    return None if found is None else (found.status, found.reason)


async def test_a_task_gets_one_job_and_its_id(world: World) -> None:
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(5)

    status = world.cluster.task("bt-1").status
    assert world.jobs_of(task) == 1
    assert status.phase is Phase.SUBMITTED
    assert status.job_id in world.batch.jobs
    assert status.submission is not None
    assert (status.submission.by, status.submission.attempt) == ("one", 1)


async def test_the_whole_way_costs_one_call_and_a_patch_a_change(world: World) -> None:
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(5)

    for step in (JobStatus.RUNNABLE, JobStatus.STARTING, JobStatus.RUNNING, JobStatus.SUCCEEDED):
        await world.run_job(status=step)
    await asyncio.sleep(60)

    assert world.batch.calls["submit"] == 1
    assert world.cluster.patches == {"status": 2 + 4}  # the intent, the id, four changes
    assert world.phase() is Phase.SUCCEEDED


async def test_short_stages_fold_into_the_next(world: World) -> None:
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(5)

    await world.run_job()

    assert world.cluster.patches == {"status": 3}


async def test_nothing_is_patched_while_nothing_changes(world: World) -> None:
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(5)
    await world.run_job(status=JobStatus.RUNNING)
    before = world.cluster.patches.copy()

    await asyncio.sleep(3600)

    assert world.cluster.patches == before
    assert world.cluster.requests["get"] == 0


async def test_a_task_without_our_finalizer_is_claimed_before_its_intent(world: World) -> None:
    world.start()
    world.cluster.add(a_task(finalizers=["other.dev/hold"]))

    await asyncio.sleep(5)

    task = world.cluster.task("bt-1")
    assert task.metadata.finalizers == ("other.dev/hold", "batchtask.dev/job")
    assert task.status.job_id is not None


async def test_the_intent_stands_in_the_cluster_when_the_job_arrives(world: World) -> None:
    seen: list[tuple[str, Phase]] = []

    def look(request: JobRequest) -> None:
        status = world.cluster.task("bt-1").status
        assert status.submission is not None
        seen.append((status.submission.job_name, status.phase))

    world.batch.arrived = look
    world.start()
    world.cluster.add(a_task(airflow=an_identity()))

    await asyncio.sleep(5)

    assert seen == [(f"sales-load-{a_uid()}-1", Phase.SUBMITTING)]


async def test_a_conflict_at_the_intent_sends_nothing(world: World) -> None:
    world.cluster.fail_next("patch_status", Failure(Conflict("the object has been modified")))
    world.batch.latency_seconds = 1
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(0.9)
    assert world.jobs_of(task) == 0
    await asyncio.sleep(10)

    assert world.batch.calls["submit"] == 1
    assert world.jobs_of(task) == 1


@pytest.mark.parametrize("failure", [LOST_PATCH, NO_PATCH])
async def test_an_intent_without_an_answer_is_not_sent_and_soon_made_anew(
    world: World, failure: Failure
) -> None:
    world.cluster.fail_next("patch_status", failure)
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(10)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_intents_that_were_lost_twice_hold_nobody_up(world: World) -> None:
    controller = world.start(watch_delay=20)
    await asyncio.sleep(1)
    world.cluster.fail_next("patch_status", LOST_PATCH)
    task = world.cluster.add(a_task())

    await asyncio.sleep(30)  # the second try meets the first one's intent, as a conflict

    assert world.jobs_of(task) == 1
    assert controller.record("bt-1").job_id == world.job_of()


async def test_a_job_whose_id_could_not_be_written_keeps_it_in_memory(world: World) -> None:
    world.start()
    world.batch.latency_seconds = 2
    world.cluster.add(a_task())
    await asyncio.sleep(1)
    world.cluster.fail_next("patch_status", *[NO_PATCH] * 3)

    await asyncio.sleep(20)

    assert world.batch.calls["submit"] == 1
    assert world.job_of() in world.batch.jobs
    assert world.batch.calls["find"] == 0


REFUSALS = [
    (Rejected("ClientException: bad request"), Reason.INVALID_SPEC),
    (Rejected("ClientException: JobDefinition is not ACTIVE"), Reason.INVALID_SPEC),
]


@pytest.mark.parametrize(("error", "reason"), REFUSALS)
async def test_what_aws_rejects_fails_the_task_with_its_words(
    world: World, error: BatchError, reason: Reason
) -> None:
    world.batch.fail_next("submit", error)
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(3600)

    ended = world.cluster.task("bt-1").status.condition(ConditionType.SUCCEEDED)
    assert ended is not None
    assert (ended.status, ended.reason, ended.message) == (
        ConditionStatus.FALSE,
        reason,
        str(error),
    )
    assert world.phase() is Phase.FAILED
    assert world.jobs_of(task) == 0
    assert world.batch.calls["submit"] == 1


async def test_a_queue_that_is_not_there_fails_the_task_with_its_name(world: World) -> None:
    world.start()
    world.cluster.add(a_task(job={**JOB, "jobQueue": "analitycs"}))

    await asyncio.sleep(5)

    ended = world.cluster.task("bt-1").status.condition(ConditionType.SUCCEEDED)
    assert ended is not None
    assert ended.reason == Reason.INVALID_SPEC
    assert "analitycs" in ended.message


UNSENT = [
    (Denied("AWS refused the right"), Reason.ACCESS_DENIED),
    (Denied("No usable AWS credentials", Reason.CREDENTIALS_REFUSED), Reason.CREDENTIALS_REFUSED),
    (Unavailable("AWS Batch can't be reached"), Reason.AWS_UNAVAILABLE),
    (Unavailable("the queue is disabled", Reason.QUEUE_UNAVAILABLE), Reason.QUEUE_UNAVAILABLE),
]


@pytest.mark.parametrize(("error", "reason"), UNSENT)
async def test_what_was_not_sent_blocks_the_task_until_it_can_be(
    world: World, error: BatchError, reason: Reason
) -> None:
    world.batch.fail_next("submit", *[error] * 3)
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(2)
    assert blocked(world) == (ConditionStatus.TRUE, reason)
    assert world.phase() is Phase.PENDING
    assert world.cluster.task("bt-1").status.submission is None
    await asyncio.sleep(5 + 15 + 30 + 10)

    assert blocked(world) == (ConditionStatus.FALSE, Reason.UNBLOCKED)
    assert world.jobs_of(task) == 1
    assert world.batch.calls["find"] == 0


async def test_pauses_between_refused_tries_grow_whatever_happens_to_the_task(
    world: World,
) -> None:
    world.batch.fail_next("submit", *[Denied("AWS refused the right")] * 100)
    world.start()
    world.cluster.add(a_task())

    for number in range(360):
        await asyncio.sleep(10)
        world.cluster.annotate("bt-1", touched=str(number))

    assert 10 <= world.batch.calls["submit"] <= 18


async def test_a_throttled_submission_is_made_again_soon_and_says_so(world: World) -> None:
    world.batch.fail_next("submit", *[Throttled("TooManyRequestsException", 5)] * 2)
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(2)
    assert blocked(world) == (ConditionStatus.TRUE, Reason.THROTTLED)
    await asyncio.sleep(10)

    assert world.jobs_of(task) == 1


async def test_a_throttled_submission_does_not_wait_for_the_next_controllers_doubts(
    world: World,
) -> None:
    world.batch.fail_next("submit", Throttled("TooManyRequestsException", 60))
    one = world.start("one")
    task = world.cluster.add(a_task())
    await asyncio.sleep(5)

    await one.kill()
    world.start("two")
    await asyncio.sleep(20)

    assert world.jobs_of(task) == 1


async def test_a_lost_reply_is_cleared_up_by_the_jobs_name(world: World) -> None:
    world.batch.lose_next(LostReply())
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(10)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs
    assert world.batch.calls["submit"] == 1


async def test_nothing_is_sent_by_who_no_longer_leads(world: World) -> None:
    one = world.start("one")
    await asyncio.sleep(1)
    await one.kill()
    one.start()
    one.leader._renewed = float("-inf")
    record_free = world.cluster.add(a_task())
    world.cluster.lease = None
    world.start("two")

    await asyncio.sleep(30)

    assert world.jobs_of(record_free) == 1


async def test_an_intent_that_took_too_long_to_write_is_not_sent(world: World) -> None:
    controller = world.start()
    await asyncio.sleep(1)
    world.cluster.fail_next("patch_status", Failure(None, delay_seconds=31))
    task = world.cluster.add(a_task())

    await asyncio.sleep(33)
    assert world.jobs_of(task) == 0
    assert blocked(world) == (ConditionStatus.TRUE, Reason.AWS_UNAVAILABLE)
    await asyncio.sleep(60)

    assert world.jobs_of(task) == 1
    assert controller.leader.leads()


async def test_an_intent_that_aged_while_the_machine_stood_still_is_not_sent(world: World) -> None:
    world.start()
    await asyncio.sleep(1)
    world.cluster.fail_next("patch_status", Failure(None, delay_seconds=2))
    task = world.cluster.add(a_task())

    await asyncio.sleep(1)
    world.clock.jump(20 * 60)  # the wall clock went on; another may have taken over meanwhile
    await asyncio.sleep(2)
    assert world.jobs_of(task) == 0
    assert blocked(world) == (ConditionStatus.TRUE, Reason.AWS_UNAVAILABLE)
    await asyncio.sleep(60)

    assert world.jobs_of(task) == 1


async def test_what_was_not_sent_is_known_though_the_intent_could_not_be_taken_back(
    world: World,
) -> None:
    world.batch.fail_next("submit", Denied("AWS refused the right"))
    world.start()
    await asyncio.sleep(1)
    world.cluster.fail_next("patch_status", Failure(None), NO_PATCH)
    task = world.cluster.add(a_task())

    await asyncio.sleep(20)

    assert world.jobs_of(task) == 1
    assert world.batch.calls["find"] == 0


async def test_a_workload_reaches_the_job_and_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    world.start()
    task = world.cluster.add(a_task(workload=True))
    world.cluster.add_secret("bt-1", a_secret(task))

    await asyncio.sleep(5)

    held = world.batch.jobs[world.job_of()]
    assert held.request.parameters["containerOverrides"]["command"][-1].count("a-token") == 1
    assert "a-token" not in world.cluster.task("bt-1").model_dump_json()
    assert "a-token" not in caplog.text


async def test_a_workload_over_the_limit_fails_the_task_before_any_intent(world: World) -> None:
    world.start()
    task = world.cluster.add(a_task(workload=True))
    world.cluster.add_secret("bt-1", a_secret(task, content="x" * 9000))

    await asyncio.sleep(5)

    status = world.cluster.task("bt-1").status
    ended = status.condition(ConditionType.SUCCEEDED)
    assert ended is not None
    assert ended.reason == Reason.INVALID_SPEC
    assert "8,192" in ended.message
    assert status.submission is None


async def test_of_many_tasks_each_gets_one_job(world: World) -> None:
    world.batch.latency_seconds = 0.3
    world.start()
    tasks = [world.cluster.add(a_task(f"bt-{number}")) for number in range(200)]

    await asyncio.sleep(60)

    assert {world.jobs_of(task) for task in tasks} == {1}
    assert world.cluster.patches == {"status": 400}


@pytest.mark.parametrize("moment", [0.6, 1.5])  # a look at the task, and the look before the send
async def test_a_new_version_between_the_plan_and_the_intent_is_planned_anew(
    world: World, moment: float
) -> None:
    """Another controller's intent arrives while this one reads the Secret."""
    world.start("one")
    await asyncio.sleep(1)
    world.cluster.latency_seconds = 0.5
    task = world.cluster.add(a_task(workload=True))
    world.cluster.add_secret("bt-1", a_secret(task))
    await asyncio.sleep(moment)  # the Secret is being read
    stored = world.cluster._tasks["bt-1"]
    theirs = {
        "attempt": 1,
        "jobName": "theirs",
        "by": "two",
        "at": f"{world.clock.now():%Y-%m-%dT%H:%M:%SZ}",
        "queue": "default",
        "region": "us-east-1",
    }
    world.cluster._write({**stored, "status": {"phase": "Submitting", "submission": theirs}})

    await asyncio.sleep(timedelta(minutes=10).total_seconds())

    submission = world.cluster.task("bt-1").status.submission
    assert submission is not None
    assert submission.by == "two"
    assert world.jobs_of(task) == 0
