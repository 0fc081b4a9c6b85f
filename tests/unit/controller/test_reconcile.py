"""Tasks on their way: deletion, cancel, Secrets, and whatever else goes wrong."""

import asyncio
from datetime import timedelta

import pytest

from batchtask_api import ConditionStatus, ConditionType, DeletionPolicy, Phase, Reason, names
from batchtask_controller.batch import BatchError, Denied, JobStatus, Unavailable
from batchtask_controller.tasks import Conflict, Refused, Unreachable
from batchtask_controller.timings import Timings
from builders import WORKLOAD, a_secret, a_task, a_uid
from fakes.batch import LostReply
from fakes.cluster import Failure
from unit.controller.world import World

T = Timings()
DOWN = Failure(Unreachable("the API server does not answer"))


async def run(world: World, status: JobStatus = JobStatus.RUNNING, **task: object) -> str:
    """A task whose job got so far; its job's id."""
    world.start()
    world.cluster.add(a_task(**task))  # type: ignore[arg-type]
    await asyncio.sleep(5)
    await world.run_job(status=status)
    return world.job_of()


def succeeded(world: World) -> tuple[ConditionStatus, str, str]:
    """How the task ended."""
    found = world.cluster.task("bt-1").status.condition(ConditionType.SUCCEEDED)
    assert found is not None
    return found.status, found.reason, found.message


def blocked(world: World) -> tuple[ConditionStatus, str] | None:
    """Whether the task is blocked, and why."""
    found = world.cluster.task("bt-1").status.condition(ConditionType.BLOCKED)
    return None if found is None else (found.status, found.reason)


# -- ends -----------------------------------------------------------------------------------------


async def test_a_failed_job_fails_its_task_with_awss_reason(world: World) -> None:
    job_id = await run(world)

    world.batch.advance(job_id, JobStatus.FAILED, exit_code=137, reason="OutOfMemoryError")
    await asyncio.sleep(11)

    assert succeeded(world) == (
        ConditionStatus.FALSE,
        Reason.JOB_FAILED,
        "OutOfMemoryError (exit code 137)",
    )
    assert world.cluster.task("bt-1").status.exit_code == 137


async def test_a_finished_task_is_deleted_after_its_ttl(world: World) -> None:
    await run(world, JobStatus.SUCCEEDED, ttl=120)

    await asyncio.sleep(100)
    assert world.cluster.has("bt-1")
    await asyncio.sleep(30)

    assert not world.cluster.has("bt-1")
    assert world.batch.calls["terminate"] == 0


async def test_a_ttl_that_began_before_this_controller_goes_on(world: World) -> None:
    await run(world, JobStatus.SUCCEEDED, ttl=120)
    await world.controllers[0].kill()
    await asyncio.sleep(60)

    world.start("two")
    await asyncio.sleep(80)

    assert not world.cluster.has("bt-1")


async def test_a_finished_task_can_be_deleted_at_once(world: World) -> None:
    await run(world, JobStatus.SUCCEEDED)

    world.cluster.remove("bt-1")
    await asyncio.sleep(1)

    assert not world.cluster.has("bt-1")
    assert world.batch.calls["terminate"] == 0


async def test_a_finished_task_is_not_described_any_more(world: World) -> None:
    await run(world, JobStatus.SUCCEEDED)
    before = world.batch.calls["describe"]

    await asyncio.sleep(300)

    assert world.batch.calls["describe"] == before


async def test_a_finished_task_stays_what_it_is_when_cancelled(world: World) -> None:
    await run(world, JobStatus.SUCCEEDED)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(60)

    assert world.phase() is Phase.SUCCEEDED
    assert world.batch.calls["terminate"] == 0


async def test_a_vanished_job_makes_its_task_lost_but_not_at_once(world: World) -> None:
    job_id = await run(world)

    world.batch.vanish(job_id)
    await asyncio.sleep(100)
    assert world.phase() is Phase.RUNNING
    await asyncio.sleep(T.absent_age)

    assert world.phase() is Phase.LOST
    assert succeeded(world)[1] == Reason.JOB_VANISHED
    assert world.job_of() == job_id


async def test_a_job_that_shows_up_late_is_not_lost(world: World) -> None:
    world.batch.visibility_lag_seconds = 250
    world.start()
    world.cluster.add(a_task())

    await asyncio.sleep(600)

    assert world.phase() is Phase.SUBMITTED
    assert world.batch.calls["submit"] == 1


async def test_jobs_are_not_lost_while_aws_cannot_be_asked(world: World) -> None:
    await run(world)
    world.batch.down = Unavailable("AWS Batch can't be reached")

    await asyncio.sleep(3600)

    assert world.phase() is Phase.RUNNING


async def test_jobs_of_another_region_are_not_lost_but_said_to_be_unseen(world: World) -> None:
    job_id = await run(world)
    await world.controllers[0].kill()
    held = world.batch.jobs.pop(job_id)  # the other region doesn't know it
    wrong = world.start("two", region="eu-central-1")

    await asyncio.sleep(3600)
    assert world.phase() is Phase.RUNNING
    found = world.cluster.task("bt-1").status.condition(ConditionType.BLOCKED)
    assert found is not None
    assert found.status is ConditionStatus.TRUE
    assert "us-east-1" in found.message
    await wrong.kill()
    world.batch.jobs[job_id] = held
    world.start("three")
    await asyncio.sleep(30)
    await world.run_job()

    assert world.phase() is Phase.SUCCEEDED


# -- deletion and cancel --------------------------------------------------------------------------

STAGES = [each for each in JobStatus if not each.has_ended]


@pytest.mark.parametrize("status", STAGES)
async def test_a_deletion_ends_the_job_in_every_stage_and_waits_for_its_end(
    world: World, status: JobStatus
) -> None:
    job_id = await run(world, status)

    world.cluster.remove("bt-1")
    await asyncio.sleep(1)
    assert world.cluster.has("bt-1")
    await asyncio.sleep(20)

    assert not world.cluster.has("bt-1")
    assert world.batch.jobs[job_id].job.status_reason == "BatchTask airflow-tasks/bt-1 was deleted"
    assert world.batch.calls["terminate"] == 1


@pytest.mark.parametrize("status", STAGES)
async def test_a_cancel_ends_the_job_in_every_stage(world: World, status: JobStatus) -> None:
    await run(world, status)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(20)

    assert world.phase() is Phase.CANCELLED
    assert succeeded(world)[1:] == (Reason.CANCELLED, "BatchTask airflow-tasks/bt-1 was cancelled")
    assert world.cluster.has("bt-1")


async def test_a_deletion_with_retain_leaves_the_job_running(world: World) -> None:
    job_id = await run(world, policy=DeletionPolicy.RETAIN)

    world.cluster.remove("bt-1")
    await asyncio.sleep(20)

    assert not world.cluster.has("bt-1")
    assert world.batch.jobs[job_id].job.status is JobStatus.RUNNING
    assert world.batch.calls["terminate"] == 0
    assert (names.TAG_RETAINED, "true") in world.batch.jobs[job_id].job.tags


async def test_a_retained_job_that_cant_be_tagged_holds_its_task_for_half_an_hour(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await run(world, policy=DeletionPolicy.RETAIN)
    world.batch.fail_next("tag", *[Denied("AWS refused the right: batch:TagResource")] * 100)

    world.cluster.remove("bt-1")
    await asyncio.sleep(T.release_deadline - 60)
    assert world.cluster.has("bt-1")
    assert blocked(world) == (ConditionStatus.TRUE, Reason.ACCESS_DENIED)
    await asyncio.sleep(7 * 60)

    assert not world.cluster.has("bt-1")
    assert world.batch.jobs[job_id].job.status is JobStatus.RUNNING
    assert "did not tag the job as retained" in caplog.text


async def test_a_retained_job_is_tagged_once_the_right_is_there(world: World) -> None:
    job_id = await run(world, policy=DeletionPolicy.RETAIN)
    world.batch.fail_next("tag", Denied("AWS refused the right"))

    world.cluster.remove("bt-1")
    await asyncio.sleep(10)

    assert not world.cluster.has("bt-1")
    assert (names.TAG_RETAINED, "true") in world.batch.jobs[job_id].job.tags


async def test_the_policy_may_change_while_a_deletion_waits(world: World) -> None:
    await run(world)
    world.batch.fail_next("terminate", *[Denied("AWS refused the right")] * 100)
    world.cluster.remove("bt-1")
    await asyncio.sleep(60)
    assert world.cluster.has("bt-1")

    world.cluster.change_spec("bt-1", deletionPolicy="Retain")
    await asyncio.sleep(60)

    assert not world.cluster.has("bt-1")


async def test_the_policy_may_change_while_the_job_is_tagged(world: World) -> None:
    job_id = await run(world, policy=DeletionPolicy.RETAIN)
    world.batch.latency_seconds = 4
    world.cluster.remove("bt-1")
    await asyncio.sleep(2)
    assert world.batch.calls["tag"] == 1

    world.cluster.change_spec("bt-1", deletionPolicy="Terminate")
    await asyncio.sleep(60)

    assert not world.cluster.has("bt-1")
    assert world.batch.jobs[job_id].job.status is JobStatus.FAILED


async def test_a_task_that_waits_is_deleted_without_a_job(world: World) -> None:
    world.start()
    task = world.cluster.add(a_task(workload=True))
    await asyncio.sleep(5)

    world.cluster.remove("bt-1")
    await asyncio.sleep(5)

    assert not world.cluster.has("bt-1")
    assert world.jobs_of(task) == 0


async def test_a_task_that_waits_is_cancelled_without_a_job(world: World) -> None:
    world.start()
    task = world.cluster.add(a_task(workload=True))
    await asyncio.sleep(5)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(5)

    assert world.phase() is Phase.CANCELLED
    assert succeeded(world)[2] == "Cancelled before a job was submitted"
    assert world.jobs_of(task) == 0


async def test_a_task_in_the_line_is_not_submitted_after_its_cancel(world: World) -> None:
    world.start(calls_per_second=0.5)
    for number in range(5):
        world.cluster.add(a_task(f"bt-{number}"))
    await asyncio.sleep(1)

    world.cluster.change_spec("bt-4", cancel=True)
    await asyncio.sleep(60)

    assert world.phase("bt-4") is Phase.CANCELLED
    assert len(world.batch.jobs) == 4


@pytest.mark.parametrize("moment", [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65])
@pytest.mark.parametrize("wish", ["delete", "cancel"])
async def test_whoever_is_ended_while_it_is_submitted_leaves_no_job_running(
    world: World, wish: str, moment: float
) -> None:
    world.start()
    await asyncio.sleep(5)
    world.cluster.latency_seconds = world.batch.latency_seconds = 0.1
    task = world.cluster.add(a_task())
    await asyncio.sleep(moment)

    if wish == "delete":
        world.cluster.remove("bt-1")
    else:
        world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(120)

    assert all(job.status.has_ended for job in world.batch.named(task.metadata.uid))
    assert not world.cluster.has("bt-1") if wish == "delete" else world.phase() is Phase.CANCELLED


async def test_a_deletion_waits_for_aws_but_not_for_ever(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await run(world)
    world.batch.fail_next("terminate", *[Denied("AWS refused the right: TerminateJob")] * 100)

    world.cluster.remove("bt-1")
    await asyncio.sleep(T.release_deadline - 60)
    assert blocked(world) == (ConditionStatus.TRUE, Reason.ACCESS_DENIED)
    await asyncio.sleep(400)

    assert not world.cluster.has("bt-1")
    assert "task released though its job may run" in caplog.text


async def test_a_job_that_will_not_end_is_asked_again_every_minute(world: World) -> None:
    world.batch.unending.add(await run(world))

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(300)

    assert 4 <= world.batch.calls["terminate"] <= 6


async def test_a_success_beats_a_cancel_that_came_too_late(world: World) -> None:
    job_id = await run(world)
    world.batch.advance(job_id, JobStatus.SUCCEEDED)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(20)

    assert world.phase() is Phase.SUCCEEDED


async def test_another_finalizer_is_left_to_its_owner(world: World) -> None:
    await run(world, JobStatus.SUCCEEDED, finalizers=["batchtask.dev/job", "other.dev/hold"])
    patches = world.cluster.patches["finalizers"]

    world.cluster.remove("bt-1")
    await asyncio.sleep(600)

    assert world.cluster.task("bt-1").metadata.finalizers == ("other.dev/hold",)
    assert world.cluster.patches["finalizers"] == patches + 1


async def test_a_released_task_that_something_else_holds_is_released_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await run(world, finalizers=["batchtask.dev/job", "other.dev/hold"])
    world.batch.fail_next("terminate", *[Denied("no")] * 1000)

    world.cluster.remove("bt-1")
    await asyncio.sleep(T.release_deadline + 3600)

    assert caplog.text.count("task released though") == 1


# -- the workload's Secret ------------------------------------------------------------------------


async def test_a_secret_that_comes_a_moment_later_is_no_trouble(world: World) -> None:
    world.start()
    await asyncio.sleep(1)
    task = world.cluster.add(a_task(workload=True))
    await asyncio.sleep(0.3)

    world.cluster.add_secret("bt-1", a_secret(task))
    await asyncio.sleep(2)

    assert world.jobs_of(task) == 1
    assert blocked(world) is None


async def test_a_secret_that_does_not_come_blocks_and_then_fails_the_task(world: World) -> None:
    world.start()
    task = world.cluster.add(a_task(workload=True))

    await asyncio.sleep(120)
    assert blocked(world) == (ConditionStatus.TRUE, Reason.WAITING_FOR_WORKLOAD)
    await asyncio.sleep(T.workload_deadline)

    assert succeeded(world)[1] == Reason.WORKLOAD_MISSING
    assert "bt-1" in succeeded(world)[2]
    assert world.jobs_of(task) == 0


async def test_a_controller_that_comes_late_gives_the_secret_its_time(world: World) -> None:
    task = world.cluster.add(a_task(workload=True))
    await asyncio.sleep(3600)

    world.start()
    await asyncio.sleep(30)
    assert world.phase() is Phase.PENDING
    world.cluster.add_secret("bt-1", a_secret(task))
    await asyncio.sleep(60)

    assert world.jobs_of(task) == 1


WRONG_SECRETS = [
    ({"type": "Opaque"}, Reason.NOT_ALLOWED, "type 'Opaque'"),
    ({"type": "kubernetes.io/tls"}, Reason.NOT_ALLOWED, "batchtask.dev/workload"),
    ({"owner": a_uid(99)}, Reason.NOT_ALLOWED, "no ownerReference to this task"),
    ({"content": None}, Reason.INVALID_SPEC, "no readable key 'workload.json'"),
]


@pytest.mark.parametrize(("wrong", "reason", "words"), WRONG_SECRETS)
async def test_a_secret_that_is_not_this_tasks_workload_is_refused(
    world: World, wrong: dict[str, str], reason: Reason, words: str
) -> None:
    world.start()
    task = world.cluster.add(a_task(workload=True))
    world.cluster.add_secret("bt-1", a_secret(task, **wrong))  # type: ignore[arg-type]

    await asyncio.sleep(10)

    status, said, message = succeeded(world)
    assert (status, said) == (ConditionStatus.FALSE, reason)
    assert words in message
    assert WORKLOAD not in message
    assert world.jobs_of(task) == 0


async def test_a_token_that_ends_soon_waits_for_a_new_one(world: World) -> None:
    world.start()
    task = world.cluster.add(a_task(workload=True))
    soon = world.clock.now() + timedelta(minutes=9)
    world.cluster.add_secret("bt-1", a_secret(task, expires=soon))

    await asyncio.sleep(30)
    assert blocked(world) == (ConditionStatus.TRUE, Reason.TOKEN_EXPIRING)
    assert world.jobs_of(task) == 0
    later = world.clock.now() + timedelta(hours=9)
    world.cluster.add_secret("bt-1", a_secret(task, content='{"token":"new"}', expires=later))
    await asyncio.sleep(61)

    held = world.batch.jobs[world.job_of()]
    assert held.request.parameters["containerOverrides"]["command"][-1] == '{"token":"new"}'
    assert blocked(world) == (ConditionStatus.FALSE, Reason.UNBLOCKED)


async def test_a_token_that_expires_in_the_line_is_not_submitted(world: World) -> None:
    world.start(calls_per_second=0.5)
    await asyncio.sleep(1)
    world.batch.down = Denied("AWS refused the credentials")
    task = world.cluster.add(a_task(workload=True))
    world.cluster.add_secret(
        "bt-1", a_secret(task, expires=world.clock.now() + timedelta(minutes=11))
    )
    await asyncio.sleep(120)

    world.batch.calm()
    await asyncio.sleep(600)

    assert world.jobs_of(task) == 0
    assert blocked(world) == (ConditionStatus.TRUE, Reason.TOKEN_EXPIRING)


# -- whatever else goes wrong ---------------------------------------------------------------------


async def test_a_spec_of_wrong_types_fails_its_own_task_only(world: World) -> None:
    world.start()
    job = {"jobQueue": "default", "jobDefinition": "worker", "containerOverrides": "no object"}
    poisoned = world.cluster.add(a_task("bt-0", job=job, workload=True))
    world.cluster.add_secret("bt-0", a_secret(poisoned))
    task = world.cluster.add(a_task())

    await asyncio.sleep(10)

    assert world.jobs_of(task) == 1
    assert world.jobs_of(poisoned) == 0
    assert world.phase("bt-0") is Phase.FAILED


async def test_a_bug_met_by_one_task_stops_no_other_and_loses_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.start()
    world.batch.fail_next("submit", RuntimeError("a bug"))  # type: ignore[arg-type]
    unlucky = world.cluster.add(a_task("bt-0"))
    task = world.cluster.add(a_task())

    await asyncio.sleep(10)
    assert world.jobs_of(task) == 1
    assert world.jobs_of(unlucky) == 0
    assert "task could not be looked at" in caplog.text
    await asyncio.sleep(400)

    assert world.jobs_of(unlucky) == 1
    assert world.controllers[0].crew.is_whole


async def test_an_api_server_that_is_away_is_waited_for(world: World) -> None:
    world.start()
    await asyncio.sleep(5)
    world.cluster.is_down = True
    task = world.cluster.add(a_task())
    await asyncio.sleep(300)
    assert world.jobs_of(task) == 0

    world.cluster.is_down = False
    await asyncio.sleep(30)

    assert world.jobs_of(task) == 1


async def test_an_end_that_could_not_be_written_is_written_later(world: World) -> None:
    job_id = await run(world)
    world.cluster.is_down = True
    world.batch.advance(job_id, JobStatus.SUCCEEDED)
    await asyncio.sleep(60)
    world.cluster.is_down = False

    await asyncio.sleep(30)

    assert world.phase() is Phase.SUCCEEDED


@pytest.mark.parametrize("operation", ["patch_status", "set_finalizers", "workload"])
@pytest.mark.parametrize(
    "failure",
    [
        DOWN,
        Failure(Refused("403 forbidden")),
        Failure(Conflict("409 modified")),
        Failure(Unreachable("reset"), takes_effect=True),
    ],
)
async def test_a_request_that_fails_is_made_again(
    world: World, operation: str, failure: Failure
) -> None:
    world.start()
    await asyncio.sleep(1)
    world.cluster.fail_next(operation, failure)
    task = world.cluster.add(a_task(workload=True, finalizers=[]))
    world.cluster.add_secret("bt-1", a_secret(task))

    await asyncio.sleep(60)
    await world.run_job()

    assert world.phase() is Phase.SUCCEEDED
    assert world.jobs_of(task) == 1


async def test_a_refused_write_says_that_a_right_is_missing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.cluster.fail_next("patch_status", Failure(Refused("PATCH batchtasks/status: 403")))
    world.start()
    world.cluster.add(a_task())

    await asyncio.sleep(5)

    assert "Kubernetes refused it: PATCH batchtasks/status: 403" in caplog.text


async def test_a_task_that_is_gone_is_forgotten(world: World) -> None:
    controller = world.start(watch_delay=30)
    await asyncio.sleep(1)
    task = world.cluster.add(a_task(workload=True))
    await asyncio.sleep(31)

    world.cluster.force_out("bt-1")
    await asyncio.sleep(29)

    assert controller.store.get(task.metadata.uid) is None


async def test_a_namesake_is_never_taken_for_the_task_that_was(world: World) -> None:
    world.start(watch_delay=30)
    await asyncio.sleep(1)
    first = world.cluster.add(a_task(workload=True))
    await asyncio.sleep(31)

    world.cluster.force_out("bt-1")
    second = world.cluster.add(a_task())
    await asyncio.sleep(90)

    assert world.jobs_of(first) == 0
    assert world.jobs_of(second) == 1


async def test_the_echo_of_a_status_patch_causes_no_work(world: World) -> None:
    await run(world)
    requests = world.cluster.requests.copy()
    renewals = {"read", "create", "replace"}

    await asyncio.sleep(60)

    assert {
        name: count
        for name, count in (world.cluster.requests - requests).items()
        if name not in renewals
    } == {}


async def test_someone_elses_change_costs_no_patch_unless_it_means_something(world: World) -> None:
    await run(world)
    before = world.cluster.patches["status"]

    world.cluster.annotate("bt-1", touched="yes")
    await asyncio.sleep(5)
    assert world.cluster.patches["status"] == before
    world.cluster.change_spec("bt-1", priority=5)
    await asyncio.sleep(5)

    assert world.cluster.patches["status"] == before + 1
    assert world.cluster.task("bt-1").status.observed_generation == 2


async def test_a_slow_submission_does_not_hold_up_the_others(world: World) -> None:
    """Sixteen submissions hang; each of their tasks is touched; another one's end comes through."""
    await run(world)
    world.batch.latency_seconds = 24
    for number in range(2, 18):
        world.cluster.add(a_task(f"bt-{number}"))
    await asyncio.sleep(2)
    for number in range(2, 18):
        world.cluster.annotate(f"bt-{number}", touched="yes")
    world.batch.latency_seconds = 0
    await asyncio.sleep(0.5)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(1)

    assert world.batch.calls["terminate"] == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Denied("AWS refused the right"), Reason.ACCESS_DENIED),
        (Unavailable("AWS Batch can't be reached"), Reason.AWS_UNAVAILABLE),
    ],
)
async def test_a_termination_that_fails_shows_and_is_made_again(
    world: World, error: BatchError, reason: Reason
) -> None:
    await run(world)
    world.batch.fail_next("terminate", error)

    world.cluster.change_spec("bt-1", cancel=True)
    await asyncio.sleep(1)
    assert blocked(world) == (ConditionStatus.TRUE, reason)
    await asyncio.sleep(30)

    assert world.phase() is Phase.CANCELLED
    assert blocked(world) == (ConditionStatus.FALSE, Reason.UNBLOCKED)


async def test_a_lost_reply_and_a_conflict_together_leave_one_job(world: World) -> None:
    world.batch.lose_next(LostReply())
    world.start()
    await asyncio.sleep(1)
    task = world.cluster.add(a_task())
    world.cluster.fail_next("patch_status", Failure(Conflict("409")), DOWN)

    await asyncio.sleep(600)

    assert world.jobs_of(task) == 1
    assert world.job_of() in world.batch.jobs


async def test_a_deletion_that_nobody_saw_for_long_still_ends_the_job(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = await run(world)
    await world.end()

    world.cluster.remove("bt-1")
    await asyncio.sleep(T.release_deadline + 60)
    world.start("two")
    await asyncio.sleep(60)

    assert world.batch.jobs[job].job.status is JobStatus.FAILED
    assert world.cluster.tasks() == []
    assert "task released though" not in caplog.text
