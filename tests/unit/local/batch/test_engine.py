import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from batchtask_local.batch.clock import ManualClock, Timer
from batchtask_local.batch.engine import RECLAIMED
from batchtask_local.batch.lifecycle import Exit
from batchtask_local.batch.model import Status
from batchtask_local.batch.runner import Container, Events, Launch
from batchtask_local.batch.scheduler import MAX_RESOURCE, RESOURCE_REQUIREMENT, STUCK
from unit.local.batch.lab import TIMES, TO_RUNNING, Lab, environment, lab, queue

SUCCEEDED, FAILED, PENDING = Status.SUCCEEDED, Status.FAILED, Status.PENDING
RUNNABLE, STARTING, RUNNING = Status.RUNNABLE, Status.STARTING, Status.RUNNING


def submit_all(made: Lab, count: int, *words: str) -> list[str]:
    return [made.submit(*words) for _ in range(count)]


# States


def test_a_job_goes_through_every_state_in_order() -> None:
    made = lab(main=1)
    job = made.submit("sleep", "2", "exit", "0")
    seen = [made.status(job)]
    for _ in range(60):
        made.advance(0.1)
        if made.status(job) is not seen[-1]:
            seen.append(made.status(job))

    # RUNNABLE lasts no time where there is room.
    assert seen == [Status.SUBMITTED, PENDING, STARTING, RUNNING, SUCCEEDED]


def test_times_are_those_of_the_states() -> None:
    made = lab(main=1)
    start = made.clock.now()
    job = made.submit("sleep", "5")
    made.advance(60)

    ended = made.job(job)

    assert ended.created_at == start
    assert ended.started_at == start + 3000
    assert ended.stopped_at == start + 8000
    assert ended.status_reason == "Essential container in task exited"


def test_a_failed_job_has_its_exit_code() -> None:
    made = lab(main=1)
    job = made.submit("exit", "3")
    made.advance(10)

    ended = made.job(job)

    assert ended.status is FAILED
    assert [attempt.exit_code for attempt in ended.attempts] == [3]


# Attempts


def test_each_attempt_is_a_task_of_its_own() -> None:
    made = lab(main=1)
    job = made.submit("exit", "3", retryStrategy={"attempts": 3})
    made.advance(60)

    ended = made.job(job)

    assert ended.status is FAILED
    assert len({attempt.task_id for attempt in ended.attempts}) == 3
    assert len({attempt.log_stream for attempt in ended.attempts}) == 3


def test_rules_end_a_job_early() -> None:
    made = lab(main=1)
    rules = [{"onExitCode": "3", "action": "exit"}]
    strategy = {"attempts": 3, "evaluateOnExit": rules}
    job = made.submit("exit", "3", retryStrategy=strategy)
    made.advance(60)

    assert len(made.job(job).attempts) == 1


def test_a_reclaimed_machine_is_an_attempt_without_an_exit_code() -> None:
    made = lab(main=1)
    rules = [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ]
    job = made.submit("sleep", "9", retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    made.advance(TO_RUNNING + 1)
    assert made.engine.reclaim(job)
    made.advance(60)

    ended = made.job(job)

    assert ended.status is SUCCEEDED
    assert [(attempt.exit_code, attempt.status_reason) for attempt in ended.attempts] == [
        (None, RECLAIMED),
        (0, "Essential container in task exited"),
    ]


def test_nothing_is_reclaimed_from_a_job_that_has_no_machine() -> None:
    made = lab(main=1)

    assert not made.engine.reclaim(made.submit())


def test_a_timed_out_attempt_is_not_tried_again() -> None:
    made = lab(main=1)
    job = made.submit(
        "sleep", "999", timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3}
    )
    made.advance(TO_RUNNING + 60.5)

    ended = made.job(job)

    assert ended.status is FAILED
    assert ended.status_reason == "Job attempt duration exceeded timeout"
    assert [attempt.exit_code for attempt in ended.attempts] == [143]


def test_who_ignores_sigterm_gets_sigkill_after_the_grace() -> None:
    made = lab(main=1)
    job = made.submit("deaf", "sleep", "999", timeout={"attemptDurationSeconds": 60})
    made.advance(TO_RUNNING + 60 + TIMES.kill_grace - 0.5)
    assert made.status(job) is RUNNING

    made.advance(1)

    assert made.status(job) is FAILED
    assert made.job(job).attempts[0].exit_code == 137


def test_time_spent_starting_does_not_count_for_the_timeout() -> None:
    made = lab(main=1)
    job = made.submit("sleep", "59", timeout={"attemptDurationSeconds": 60})
    made.advance(TO_RUNNING + 59.5)

    assert made.status(job) is SUCCEEDED


# Terminate and cancel


@pytest.mark.parametrize("seconds", [0, 1.5, 2.5, TO_RUNNING + 1])
def test_termination_ends_a_job_in_every_state(seconds: float) -> None:
    made = lab(main=1)
    job = made.submit("sleep", "999", retryStrategy={"attempts": 5})
    made.advance(seconds)
    made.engine.terminate(job, "enough")
    made.advance(1)

    ended = made.job(job)

    assert ended.status is FAILED
    assert ended.status_reason == "enough"
    assert ended.is_terminated
    assert made.vcpus_used() == 0


def test_a_terminated_job_is_running_until_its_container_has_ended() -> None:
    made = lab(main=1)
    job = made.submit("deaf", "sleep", "999")
    made.advance(TO_RUNNING)
    made.engine.terminate(job, "enough")
    made.advance(TIMES.kill_grace - 1)

    assert made.status(job) is RUNNING
    assert made.job(job).is_terminated

    made.advance(2)
    assert made.status(job) is FAILED


class LateClock(ManualClock):
    """A loop so busy that what is to happen at once happens a second later."""

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        return super().call_later(seconds or 1, action)


def test_what_is_ended_before_its_launch_is_never_launched() -> None:
    runner = RecordingRunner()
    made = lab(runner, LateClock(), main=1)
    job = made.submit()
    made.advance(TO_RUNNING - 0.5)
    assert made.status(job) is STARTING
    made.engine.terminate(job, "enough")
    made.advance(60)

    assert made.status(job) is FAILED
    assert runner.launched == []


def test_termination_comes_before_the_retry_of_a_reclaimed_attempt() -> None:
    made = lab(main=1)
    job = made.submit("sleep", "99", retryStrategy={"attempts": 2})
    made.advance(TO_RUNNING)
    made.engine.reclaim(job)
    made.engine.terminate(job, "enough")
    made.advance(60)

    assert made.status(job) is FAILED
    assert made.job(job).status_reason == "enough"


def test_an_ended_job_stays_as_it_is() -> None:
    made = lab(main=1)
    job = made.submit("exit", "0")
    made.advance(10)
    before = made.job(job)
    made.engine.terminate(job, "late")
    made.engine.cancel(job, "late")
    made.engine.terminate("no such job", "late")
    made.advance(10)

    assert made.job(job) == before


def test_cancelling_a_running_job_does_nothing() -> None:
    made = lab(main=1)
    job = made.submit("sleep", "5")
    made.advance(TO_RUNNING)
    made.engine.cancel(job, "never mind")
    made.advance(10)

    assert made.status(job) is SUCCEEDED
    assert not made.job(job).is_cancelled


def test_a_runnable_job_is_cancelled_at_once() -> None:
    made = lab(main=1)
    submit_all(made, 1, "sleep", "999")
    job = made.submit()
    made.advance(TO_RUNNING)
    assert made.status(job) is RUNNABLE
    made.engine.cancel(job, "never mind")

    assert made.status(job) is FAILED
    assert made.job(job).status_reason == "never mind"
    assert made.job(job).is_cancelled
    assert not made.job(job).is_terminated


def test_a_pending_job_is_cancelled_once_its_dependencies_have_ended() -> None:
    made = lab(main=1)
    first = made.submit("sleep", "10")
    second = made.submit(dependsOn=[{"jobId": first}])
    made.advance(5)
    made.engine.cancel(second, "never mind")
    made.advance(1)
    assert made.status(second) is PENDING
    assert made.job(second).is_cancelled

    made.advance(20)

    assert made.status(second) is FAILED
    assert made.job(second).status_reason == "never mind"


# Dependencies


def test_a_job_waits_for_those_it_depends_on() -> None:
    made = lab(main=4)
    first, second = submit_all(made, 2, "sleep", "10")
    third = made.submit(dependsOn=[{"jobId": first}, {"jobId": second}])
    made.advance(TO_RUNNING + 9)
    assert made.status(third) is PENDING

    made.advance(10)

    assert made.status(third) is SUCCEEDED


def test_a_failed_dependency_fails_all_that_follow() -> None:
    made = lab(main=4)
    chain = [made.submit("exit", "1")]
    for _ in range(2000):
        chain.append(made.submit(dependsOn=[{"jobId": chain[-1]}]))
    made.advance(60)

    assert set(made.statuses(chain)) == {FAILED}
    assert made.job(chain[-1]).status_reason == "Dependent Job failed"
    assert made.job(chain[-1]).attempts == ()


def test_a_dependency_that_has_ended_already_is_no_obstacle() -> None:
    made = lab(main=1)
    first = made.submit()
    made.advance(60)
    second = made.submit(dependsOn=[{"jobId": first}])
    made.advance(60)

    assert made.status(second) is SUCCEEDED


# Arrays


def children(made: Lab, parent: str, size: int) -> list[str]:
    return [f"{parent}:{index}" for index in range(size)]


def test_a_parent_is_pending_until_its_last_child_has_ended() -> None:
    made = lab(main=2)
    parent = made.submit("sleep", "10", arrayProperties={"size": 3})
    made.advance(5)

    counts = {status: count for status, count in (made.job(parent).children or {}).items() if count}
    assert made.status(parent) is PENDING
    assert counts == {RUNNING: 2, RUNNABLE: 1}

    made.advance(60)
    assert made.status(parent) is SUCCEEDED
    assert set(made.statuses(children(made, parent, 3))) == {SUCCEEDED}


def test_a_failed_child_fails_its_parent_after_the_others_have_ended() -> None:
    made = lab(main=4)
    parent = made.submit("exit", "1", arrayProperties={"size": 2})
    made.advance(60)

    assert made.status(parent) is FAILED
    assert made.job(parent).status_reason == "Array Child Job failed"


def test_children_in_sequence_run_one_after_the_other() -> None:
    made = lab(main=4)
    parent = made.submit(
        "sleep", "10", arrayProperties={"size": 3}, dependsOn=[{"type": "SEQUENTIAL"}]
    )
    made.advance(TO_RUNNING + 5)

    assert made.statuses(children(made, parent, 3)) == [RUNNING, PENDING, PENDING]
    made.advance(60)
    assert made.status(parent) is SUCCEEDED


def test_a_long_sequence_fails_as_a_whole() -> None:
    made = lab(main=4)
    parent = made.submit(
        "exit", "1", arrayProperties={"size": 3000}, dependsOn=[{"type": "SEQUENTIAL"}]
    )
    made.advance(60)

    assert made.status(parent) is FAILED
    assert made.job(f"{parent}:2999").status_reason == "Dependent Job failed"


def test_children_of_two_arrays_follow_each_other_one_by_one() -> None:
    made = lab(main=1)
    first = made.submit("sleep", "10", arrayProperties={"size": 2})
    second = made.submit(
        arrayProperties={"size": 2}, dependsOn=[{"jobId": first, "type": "N_TO_N"}]
    )
    made.advance(TO_RUNNING + 10.5)

    assert made.status(f"{first}:0") is SUCCEEDED
    assert made.status(f"{second}:0") is not PENDING
    assert made.status(f"{second}:1") is PENDING
    made.advance(100)
    assert made.status(second) is SUCCEEDED


def test_children_wait_for_counterparts_that_are_not_there_yet() -> None:
    made = lab(main=4)
    blocker = made.submit("sleep", "10")
    first = made.submit(arrayProperties={"size": 2}, dependsOn=[{"jobId": blocker}])
    second = made.submit(
        arrayProperties={"size": 2}, dependsOn=[{"jobId": first, "type": "N_TO_N"}]
    )
    made.advance(TO_RUNNING + 5)
    assert made.statuses(children(made, second, 2)) == [PENDING, PENDING]

    made.advance(100)

    assert made.status(second) is SUCCEEDED
    assert (made.job(f"{second}:1").started_at or 0) > (made.job(f"{first}:1").stopped_at or 0)


def test_an_array_waits_for_the_jobs_it_depends_on() -> None:
    made = lab(main=4)
    first = made.submit("exit", "1")
    parent = made.submit(arrayProperties={"size": 2}, dependsOn=[{"jobId": first}])
    made.advance(60)

    assert made.status(parent) is FAILED
    assert made.job(parent).status_reason == "Dependent Job failed"
    assert made.store.children(parent) == []


def test_terminating_an_array_ends_every_child() -> None:
    made = lab(main=2)
    parent = made.submit("sleep", "99", arrayProperties={"size": 4})
    made.advance(5)
    made.engine.terminate(parent, "enough")
    made.advance(5)

    assert set(made.statuses(children(made, parent, 4))) == {FAILED}
    assert made.status(parent) is FAILED
    assert made.job(parent).status_reason == "enough"
    assert made.vcpus_used() == 0


def test_cancelling_an_array_lets_running_children_end() -> None:
    made = lab(main=1)
    parent = made.submit("sleep", "9", arrayProperties={"size": 3})
    made.advance(5)
    made.engine.cancel(parent, "never mind")
    made.advance(1)
    assert made.statuses(children(made, parent, 3)) == [RUNNING, FAILED, FAILED]
    assert made.status(parent) is PENDING

    made.advance(20)

    assert made.status(f"{parent}:0") is SUCCEEDED
    assert made.job(parent).status_reason == "never mind"


# Room


def test_no_more_jobs_run_than_there_are_vcpus() -> None:
    made = lab(main=3)
    jobs = submit_all(made, 5, "sleep", "10")
    made.advance(5)

    assert made.statuses(jobs) == [RUNNING, RUNNING, RUNNING, RUNNABLE, RUNNABLE]
    assert made.vcpus_used() == 3


def test_the_head_of_a_queue_holds_back_smaller_jobs_behind_it() -> None:
    made = lab(main=4)
    submit_all(made, 1, "sleep", "50")
    large = made.submit("sleep", "5", vcpus=4)
    small = made.submit("sleep", "5")
    made.advance(10)

    assert made.statuses([large, small]) == [RUNNABLE, RUNNABLE]
    assert [job.id for job in made.engine.waiting(made.places.queue("main"), 10)] == [large, small]


def test_a_job_that_never_fits_is_stuck_and_says_why() -> None:
    made = lab(main=4)
    stuck = made.submit(vcpus=8)
    behind = made.submit()
    made.advance(10)

    assert made.statuses([stuck, behind]) == [RUNNABLE, RUNNABLE]
    assert made.job(stuck).status_reason == STUCK[MAX_RESOURCE]
    assert made.job(behind).status_reason is None

    made.engine.terminate(stuck, "enough")
    made.advance(10)
    assert made.status(behind) is SUCCEEDED


def test_a_job_with_too_much_memory_is_stuck() -> None:
    made = lab(main=4)
    needs = [{"type": "MEMORY", "value": "9999"}]
    job = made.submit(containerOverrides={"resourceRequirements": needs})
    made.advance(10)

    assert made.job(job).status_reason == STUCK[RESOURCE_REQUIREMENT]


def test_more_vcpus_free_a_stuck_job() -> None:
    made = lab(main=4)
    stuck = made.submit(vcpus=8)
    made.advance(10)
    made.places.update_environment(
        {"computeEnvironment": "main", "computeResources": {"maxvCpus": 8}}
    )
    made.engine.dispatch()
    made.advance(10)

    assert made.status(stuck) is SUCCEEDED


def test_a_stuck_job_that_would_fit_now_only_waits() -> None:
    made = lab(main=1)
    submit_all(made, 1, "sleep", "999")
    stuck = made.submit(vcpus=2)
    made.advance(10)
    assert made.job(stuck).status_reason == STUCK[MAX_RESOURCE]
    made.places.update_environment(
        {"computeEnvironment": "main", "computeResources": {"maxvCpus": 2}}
    )
    made.engine.dispatch()

    assert made.status(stuck) is RUNNABLE
    assert made.job(stuck).status_reason is None


def test_a_queues_time_limit_cancels_its_stuck_head() -> None:
    made = lab()
    action = {
        "reason": MAX_RESOURCE,
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        "action": "CANCEL",
    }
    made.queue("limited", vcpus=1, jobStateTimeLimitActions=[action])
    stuck = made.submit(queue="limited", vcpus=2)
    made.advance(599)
    assert made.status(stuck) is RUNNABLE

    made.advance(5)

    assert made.status(stuck) is FAILED
    assert made.job(stuck).status_reason == (
        f"Canceled by JobStateTimeLimit action due to reason: {MAX_RESOURCE}"
    )


def test_a_limit_does_not_reach_a_job_that_is_no_longer_stuck() -> None:
    made = lab()
    action = {
        "reason": MAX_RESOURCE,
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        "action": "CANCEL",
    }
    made.queue("limited", vcpus=1, jobStateTimeLimitActions=[action])
    job = made.submit("sleep", "9999", queue="limited", vcpus=2, retryStrategy={"attempts": 2})
    made.advance(100)
    resources = {"computeResources": {"maxvCpus": 2}}
    made.places.update_environment({"computeEnvironment": "limited", **resources})
    made.engine.dispatch()
    made.advance(100)
    made.places.update_environment({"computeEnvironment": "limited", "state": "DISABLED"})
    made.engine.reclaim(job)
    made.advance(600)

    assert made.status(job) is RUNNABLE
    assert made.job(job).status_reason is None


def test_the_queue_with_the_higher_priority_is_served_first() -> None:
    made = lab()
    made.places.create_environment(environment("shared", 1))
    for name, priority in (("low", 1), ("high", 5)):
        made.places.create_queue(queue(name, priority, "shared"))
    blocker = made.submit("sleep", "10", queue="low")
    low = made.submit("sleep", "10", queue="low")
    high = made.submit("sleep", "10", queue="high")
    made.advance(TO_RUNNING + 1)
    assert made.statuses([blocker, low, high]) == [RUNNING, RUNNABLE, RUNNABLE]

    made.advance(12)

    assert made.statuses([low, high]) == [RUNNABLE, RUNNING]


def test_a_second_environment_takes_what_the_first_has_no_room_for() -> None:
    made = lab()
    for name in ("first", "second"):
        made.places.create_environment(environment(name, 1))
    made.places.create_queue(queue("both", 1, "first", "second"))
    jobs = [made.submit("sleep", "9", queue="both") for _ in range(2)]
    made.advance(TO_RUNNING)

    placed = [made.job(job).current for job in jobs]
    assert [attempt and attempt.environment for attempt in placed] == ["first", "second"]


def test_a_disabled_environment_takes_nothing_and_what_runs_goes_on() -> None:
    made = lab(main=1)
    running = made.submit("sleep", "10")
    made.advance(TO_RUNNING)
    made.places.update_environment({"computeEnvironment": "main", "state": "DISABLED"})
    waiting = made.submit()
    made.advance(30)

    assert made.statuses([running, waiting]) == [SUCCEEDED, RUNNABLE]
    assert made.job(waiting).status_reason is None


def test_shares_take_turns() -> None:
    made = lab()
    policy = "arn:aws:batch:us-east-1:123456789012:scheduling-policy/fair"
    made.queue("fair", vcpus=2, schedulingPolicyArn=policy)
    blue = [made.submit("sleep", "10", queue="fair", shareIdentifier="blue") for _ in range(3)]
    red = made.submit("sleep", "10", queue="fair", shareIdentifier="red")
    made.advance(TO_RUNNING + 10.5)
    # Of the two places that became free, one went to each share.
    started = [job for job in (*blue, red) if made.status(job).is_placed]

    assert started == [blue[2], red]


# What only the machine could know


def test_overrides_over_the_limit_are_accepted_and_fail_later() -> None:
    made = lab(main=1)
    job = made.submit("x" * 9000)
    made.advance(10)

    failed = made.job(job)

    assert failed.status is FAILED
    assert failed.status_reason == "Container Overrides length must be at most 8192"
    assert failed.attempts == ()
    assert failed.started_at is None


def test_overrides_of_just_the_limit_run() -> None:
    made = lab(main=1)
    around = len(json.dumps({"command": [""]}, separators=(",", ":")))
    job = made.submit(containerOverrides={"command": ["x" * (8192 - around)]})
    made.advance(10)

    assert made.status(job) is SUCCEEDED


def test_a_job_is_invisible_for_the_lag() -> None:
    made = lab(main=1)
    spec = made.job(made.submit()).spec
    late = made.engine.submit(spec, visibility_lag_seconds=10)

    assert not late.is_visible(made.clock.now())
    made.advance(10)
    assert late.is_visible(made.clock.now())


@dataclass
class RecordingRunner:
    launched: list[Launch] = field(default_factory=list)
    events: list[Events] = field(default_factory=list)

    def start(self, launch: Launch, events: Events) -> Container:
        self.launched.append(launch)
        self.events.append(events)
        return self

    def stop(self) -> None:
        """Ignore it."""

    def kill(self) -> None:
        """Ignore it."""

    async def close(self) -> None:
        """Nothing runs."""


def test_a_container_knows_its_job_attempt_queue_and_environment() -> None:
    runner = RecordingRunner()
    made = lab(runner, main=1)
    job = made.submit("x", retryStrategy={"attempts": 2})
    made.advance(TO_RUNNING)
    runner.events[0].started()
    runner.events[0].exited(Exit(1))
    made.advance(TO_RUNNING)

    assert [launch.environment for launch in runner.launched] == [
        {
            "AWS_BATCH_JOB_ID": job,
            "AWS_BATCH_JOB_ATTEMPT": attempt,
            "AWS_BATCH_JQ_NAME": "main",
            "AWS_BATCH_CE_NAME": "main",
        }
        for attempt in ("1", "2")
    ]


def test_a_child_knows_its_index() -> None:
    runner = RecordingRunner()
    made = lab(runner, main=4)
    made.submit("x", arrayProperties={"size": 2})
    made.advance(TO_RUNNING)

    indexes = [launch.environment["AWS_BATCH_JOB_ARRAY_INDEX"] for launch in runner.launched]
    assert indexes == ["0", "1"]
