"""What becomes of a submission whose outcome isn't known: by name, in time, and never twice."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from batchtask_api import BatchTask, ConditionStatus, ConditionType, Phase, Reason
from batchtask_controller.batch import (
    BatchError,
    Denied,
    JobRequest,
    JobStatus,
    Rejected,
    Throttled,
    Unavailable,
)
from batchtask_controller.request import job_name_prefix
from batchtask_controller.timings import Timings
from builders import JOB, a_task
from fakes.batch import LostReply
from unit.controller.world import World

T = Timings()
DAY = 86_400.0


class FindLog:
    """When look-ups were made, seen from the fake's count."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.at: list[float] = []

    async def watch(self, seconds: float) -> Sequence[float]:
        """The ages at which look-ups came, counted from now."""
        started, seen = self.world.clock.monotonic(), self.world.batch.calls["find"]
        while self.world.clock.monotonic() < started + seconds:
            await asyncio.sleep(0.25)
            if self.world.batch.calls["find"] > seen:
                seen = self.world.batch.calls["find"]
                self.at.append(self.world.clock.monotonic() - started)
        return self.at


async def lose_and_restart(world: World, lost: LostReply) -> BatchTask:
    """A submission whose sender dies before it can know what became of it."""
    world.batch.lose_next(lost)
    one = world.start("one")
    task = world.cluster.add(a_task())
    await asyncio.sleep(2)
    await one.kill()
    return task


def blocked(world: World) -> tuple[ConditionStatus, str, str]:
    """What the task says of its block."""
    found = world.cluster.task("bt-1").status.condition(ConditionType.BLOCKED)
    assert found is not None
    return found.status, found.reason, found.message


async def test_a_lost_submission_is_looked_for_at_growing_ages(world: World) -> None:
    world.batch.lose_next(LostReply(takes_effect=False))
    world.start()
    await asyncio.sleep(1)
    world.cluster.add(a_task())

    found = await FindLog(world).watch(299)

    assert found == pytest.approx([5, 15, 30, 60, 120, 180, 240], abs=1)


async def test_a_job_that_shows_up_late_is_adopted(world: World) -> None:
    world.batch.visibility_lag_seconds = 100
    world.batch.lose_next(LostReply())
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(60)
    assert blocked(world)[:2] == (ConditionStatus.TRUE, Reason.OUTCOME_UNKNOWN)
    await asyncio.sleep(80)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs
    assert blocked(world)[0] is ConditionStatus.FALSE


async def test_nothing_found_for_five_minutes_is_sent_again_and_no_earlier(world: World) -> None:
    world.batch.lose_next(LostReply(takes_effect=False))
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(295)
    assert world.batch.calls["submit"] == 1
    await asyncio.sleep(15)

    submission = world.cluster.task("bt-1").status.submission
    assert world.batch.calls["submit"] == 2
    assert world.jobs_of(task) == 1
    assert submission is not None
    assert (submission.attempt, submission.job_name[-2:]) == (2, "-2")


@pytest.mark.parametrize("seconds", [1, 100, 280])
async def test_a_submission_that_arrives_late_is_not_sent_again(
    world: World, seconds: float
) -> None:
    world.batch.lose_next(LostReply(after_seconds=seconds))
    world.start()
    task = world.cluster.add(a_task())

    await asyncio.sleep(1000)

    assert world.jobs_of(task) == 1
    assert world.batch.calls["submit"] == 1


@pytest.mark.parametrize("seconds", [1, 310, 900])
async def test_the_intent_of_a_dead_controller_waits_for_its_signatures_whole_life(
    world: World, seconds: float
) -> None:
    task = await lose_and_restart(world, LostReply(after_seconds=seconds))
    world.start("two")

    await asyncio.sleep(2 * T.resend_others_after)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_the_intent_of_a_dead_controller_that_sent_nothing_is_made_anew_in_the_end(
    world: World,
) -> None:
    task = await lose_and_restart(world, LostReply(takes_effect=False))
    world.start("two")

    await asyncio.sleep(T.resend_others_after - 20)
    assert world.jobs_of(task) == 0
    await asyncio.sleep(100)

    assert world.jobs_of(task) == 1
    submission = world.cluster.task("bt-1").status.submission
    assert submission is not None
    assert (submission.by, submission.attempt) == ("two", 2)


async def test_a_clock_that_is_ahead_does_not_make_anothers_intent_old(world: World) -> None:
    task = await lose_and_restart(world, LostReply(after_seconds=900))
    world.clock.jump(20 * 60)
    world.start("two")

    await asyncio.sleep(2 * T.resend_others_after)

    assert world.jobs_of(task) == 1
    assert world.batch.calls["submit"] == 1


@pytest.mark.parametrize("moment", [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85])
async def test_a_controller_killed_at_any_moment_leaves_one_job(
    world: World, moment: float
) -> None:
    world.cluster.latency_seconds = world.batch.latency_seconds = 0.1
    world.start("one")
    await asyncio.sleep(5)
    task = world.cluster.add(a_task())
    await asyncio.sleep(moment)
    await world.controllers[0].kill()

    world.start("two")
    await asyncio.sleep(2 * T.resend_others_after)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_what_has_no_intent_is_submitted_at_once_after_a_take_over(world: World) -> None:
    await lose_and_restart(world, LostReply(takes_effect=False))
    other = world.cluster.add(a_task("bt-2"))

    world.start("two")
    await asyncio.sleep(20)

    assert world.jobs_of(other) == 1


async def test_of_two_jobs_the_earliest_is_kept_and_the_other_ended(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    task = await lose_and_restart(world, LostReply())
    kept = world.batch.named(task.metadata.uid)[0].id
    await asyncio.sleep(1)
    await twin_of(world, task)

    world.start("two")
    await asyncio.sleep(30)

    second = next(job for job in world.batch.jobs.values() if job.job.id != kept)
    assert world.job_of() == kept
    assert second.job.is_cancelled
    assert second.job.status_reason == f"BatchTask airflow-tasks/bt-1 already has job {kept}"
    assert "second job found" in caplog.text


async def test_a_second_job_that_cannot_be_ended_now_is_ended_later(world: World) -> None:
    task = await lose_and_restart(world, LostReply())
    await asyncio.sleep(1)
    await twin_of(world, task)
    world.batch.fail_next("terminate", *[Unavailable("AWS Batch can't be reached")] * 2)

    world.start("two")
    await asyncio.sleep(60)

    ended = [job for job in world.batch.jobs.values() if job.job.is_cancelled]
    assert len(ended) == 1
    assert world.job_of() != ended[0].job.id


async def twin_of(world: World, task: BatchTask) -> None:
    """A second job under the task's name, as if promise 1 had been broken."""
    name = f"{job_name_prefix(task).upper()}2"
    request = JobRequest(name, {**JOB, "jobName": name})
    world.batch.arrived = None
    await world.batch.submit(request, lambda: True)


async def test_a_queue_that_is_gone_does_not_mean_that_no_job_is_there(world: World) -> None:
    task = await lose_and_restart(world, LostReply())
    world.batch.queues.clear()
    world.start("two")

    await asyncio.sleep(3 * T.resend_others_after)
    status, reason, message = blocked(world)
    assert (status, reason) == (ConditionStatus.TRUE, Reason.OUTCOME_UNKNOWN)
    assert "default not found" in message
    assert world.batch.calls["submit"] == 1
    world.batch.queues.add("default")
    await asyncio.sleep(100)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_the_look_up_asks_the_queue_that_was_submitted_to(world: World) -> None:
    task = await lose_and_restart(world, LostReply(takes_effect=False))
    stored = world.cluster._tasks["bt-1"]
    submission = {**stored["status"]["submission"], "queue": "other"}
    status = {**stored["status"], "submission": submission}
    world.cluster._write({**stored, "status": status})
    name = f"{job_name_prefix(task)}1"
    world.batch.arrived = None
    found = await world.batch.submit(
        JobRequest(name, {**JOB, "jobName": name, "jobQueue": "other"}), lambda: True
    )

    world.start("two")
    await asyncio.sleep(60)

    assert world.job_of() == found.id


@pytest.mark.parametrize(
    "elsewhere",
    [{"region": "eu-central-1"}, {"account": "999999999999"}],
    ids=["region", "account"],
)
async def test_a_submission_made_elsewhere_is_not_looked_for_here(
    world: World, elsewhere: dict[str, str]
) -> None:
    task = await lose_and_restart(world, LostReply(takes_effect=False))
    stored = world.cluster._tasks["bt-1"]
    submission = {**stored["status"]["submission"], **elsewhere}
    world.cluster._write({**stored, "status": {**stored["status"], "submission": submission}})
    world.start("two")

    await asyncio.sleep(2 * T.resend_others_after)

    assert world.batch.calls["find"] == 0
    assert world.jobs_of(task) == 0
    assert next(iter(elsewhere.values())) in blocked(world)[2]


async def test_an_account_that_is_not_known_is_no_other_account(world: World) -> None:
    world.batch.account = None
    task = await lose_and_restart(world, LostReply())
    world.batch.account = "123456789012"
    world.start("two")

    await asyncio.sleep(60)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_an_intent_of_yesterday_that_is_not_found_is_lost_and_never_sent(
    world: World,
) -> None:
    task = await lose_and_restart(world, LostReply(takes_effect=False))
    world.clock.advance(DAY)
    world.start("two")

    await asyncio.sleep(60)

    ended = world.cluster.task("bt-1").status.condition(ConditionType.SUCCEEDED)
    assert world.phase() is Phase.LOST
    assert ended is not None
    assert ended.reason == Reason.INTENT_EXPIRED
    assert world.jobs_of(task) == 0


async def test_an_intent_of_yesterday_whose_job_is_there_is_adopted(world: World) -> None:
    task = await lose_and_restart(world, LostReply())
    world.clock.advance(DAY)
    world.start("two")

    await asyncio.sleep(60)

    assert world.phase() is Phase.SUBMITTED
    assert world.jobs_of(task) == 1


async def test_our_own_intent_is_judged_by_the_clock_that_does_not_jump(world: World) -> None:
    world.batch.lose_next(LostReply(after_seconds=200))
    world.start()
    task = world.cluster.add(a_task())
    await asyncio.sleep(2)

    world.clock.jump(2 * DAY)
    await asyncio.sleep(400)

    assert world.jobs_of(task) == 1
    assert world.phase() is Phase.SUBMITTED


async def test_an_intent_from_the_future_is_looked_for_all_the_same(world: World) -> None:
    world.clock.jump(7200)
    task = await lose_and_restart(world, LostReply())
    world.clock.jump(-7200)
    world.start("two")
    await asyncio.sleep(20)

    world.cluster.remove("bt-1")
    await asyncio.sleep(T.release_deadline + 60)

    assert not world.cluster.has("bt-1")
    assert world.jobs_of(task) == 1


LOOK_UP_FAILURES = [
    (Denied("AWS refused the right: ListJobs"), Reason.ACCESS_DENIED),
    (Unavailable("AWS Batch failed with 500"), Reason.AWS_UNAVAILABLE),
    (Throttled("TooManyRequestsException"), Reason.THROTTLED),
    (Rejected("ClientException: something else"), Reason.INVALID_SPEC),
]


@pytest.mark.parametrize(("error", "reason"), LOOK_UP_FAILURES)
async def test_a_look_up_that_fails_says_so_and_proves_nothing(
    world: World, error: BatchError, reason: Reason
) -> None:
    task = await lose_and_restart(world, LostReply())
    world.batch.fail_next("find", *[error] * 5)
    world.start("two")

    await asyncio.sleep(30)
    assert blocked(world)[:2] == (ConditionStatus.TRUE, reason)
    await asyncio.sleep(2 * T.resend_others_after)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_look_ups_that_fail_for_a_day_do_not_make_a_task_lost(world: World) -> None:
    timings = replace(T, intent_life=7200)
    world.batch.lose_next(LostReply())
    one = world.start("one", timings=timings)
    world.cluster.add(a_task())
    await asyncio.sleep(2)
    await one.kill()
    world.batch.fail_next("find", *[Denied("no")] * 10_000)
    world.start("two", timings=timings)

    await asyncio.sleep(2 * 7200)
    assert world.phase() is Phase.SUBMITTING
    world.batch.calm()
    await asyncio.sleep(400)

    assert world.phase() is Phase.SUBMITTED


async def test_a_deletion_waits_for_the_look_up_and_ends_what_it_finds(world: World) -> None:
    world.batch.visibility_lag_seconds = 60
    world.batch.lose_next(LostReply())
    world.start()
    task = world.cluster.add(a_task())
    await asyncio.sleep(2)

    world.cluster.remove("bt-1")
    await asyncio.sleep(30)
    assert world.cluster.has("bt-1")
    await asyncio.sleep(120)

    assert not world.cluster.has("bt-1")
    assert [job.is_cancelled for job in world.batch.named(task.metadata.uid)] == [True]


async def test_a_deletion_does_not_wait_for_a_look_up_for_ever(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    world.batch.lose_next(LostReply())
    world.start()
    world.cluster.add(a_task())
    await asyncio.sleep(2)
    world.batch.fail_next("find", *[Denied("no")] * 1000)

    world.cluster.remove("bt-1")
    await asyncio.sleep(T.release_deadline - 10)
    assert world.cluster.has("bt-1")
    await asyncio.sleep(310)

    assert not world.cluster.has("bt-1")
    assert "task released though its job may run" in caplog.text


async def test_a_cancel_waits_for_the_look_up_and_ends_what_it_finds(world: World) -> None:
    world.batch.lose_next(LostReply())
    world.start()
    task = world.cluster.add(a_task())
    await asyncio.sleep(2)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(60)

    assert world.phase() is Phase.CANCELLED
    assert [job.status for job in world.batch.named(task.metadata.uid)] == [JobStatus.FAILED]


async def test_a_cancel_of_what_was_never_sent_ends_without_a_job(world: World) -> None:
    world.batch.lose_next(LostReply(takes_effect=False))
    world.start()
    task = world.cluster.add(a_task())
    await asyncio.sleep(2)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(T.resend_after + 10)

    assert world.phase() is Phase.CANCELLED
    assert world.jobs_of(task) == 0
    assert world.batch.calls["submit"] == 1


def test_the_bounds_of_a_second_send_hold_what_they_must() -> None:
    """Another controller's send may start so late, live so long, by a clock that is so wrong."""
    assert T.call_timeout < T.send_deadline < T.resend_after
    assert T.resend_others_after >= T.send_deadline + T.signature_life + T.dating_lag
    assert T.scaled(0.01).resend_others_after == pytest.approx(T.resend_others_after / 100)
    assert T.scaled(0.01).look_up_after == pytest.approx([each / 100 for each in T.look_up_after])
