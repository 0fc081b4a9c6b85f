"""Whatever is asked of the engine in whatever order, jobs keep to the rules."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from batchtask_local.batch.model import Job, Status
from unit.local.batch.lab import Lab, lab

ORDER = list(Status)
VCPUS = {"main": 4, "other": 2}
NEXT: dict[Status, set[Status]] = {
    Status.SUBMITTED: {Status.PENDING, Status.FAILED},
    Status.PENDING: {Status.RUNNABLE, Status.SUCCEEDED, Status.FAILED},
    Status.RUNNABLE: {Status.STARTING, Status.FAILED},
    Status.STARTING: {Status.RUNNING, Status.RUNNABLE, Status.FAILED},
    Status.RUNNING: {Status.RUNNABLE, Status.SUCCEEDED, Status.FAILED},
    Status.SUCCEEDED: set(),
    Status.FAILED: set(),
}
"""Every step that there is; an array's parent alone goes from PENDING to SUCCEEDED."""


class Recording:
    """Puts itself before a store and notes every change of a status."""

    def __init__(self, made: Lab) -> None:
        self.steps: list[tuple[Status, Status]] = []
        self._store = made.store
        self._replace = made.store.replace

    def __call__(self, job: Job) -> None:
        old = self._store.get(job.id)
        assert old is not None
        if old.status is not job.status:
            self.steps.append((old.status, job.status))
        self._replace(job)


class Machine(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.lab = lab(None, None, **VCPUS)
        self.recording = Recording(self.lab)
        self.lab.store.replace = self.recording  # type: ignore[method-assign]
        self.ended: dict[str, Job] = {}

    @rule(
        target=jobs,
        queue=st.sampled_from(sorted(VCPUS)),
        vcpus=st.sampled_from([0.25, 1, 2, 3]),
        seconds=st.integers(0, 100),
        code=st.sampled_from([0, 0, 1]),
        deaf=st.booleans(),
        attempts=st.integers(1, 3),
        size=st.sampled_from([None, None, 2, 3]),
    )
    def submit(
        self,
        queue: str,
        vcpus: float,
        seconds: int,
        code: int,
        deaf: bool,
        attempts: int,
        size: int | None,
    ) -> str:
        words = ["sleep", str(seconds), "exit", str(code), *(["deaf"] if deaf else [])]
        more: dict[str, Any] = {} if size is None else {"arrayProperties": {"size": size}}
        return self.lab.submit(
            *words,
            queue=queue,
            vcpus=vcpus,
            retryStrategy={"attempts": attempts},
            timeout={"attemptDurationSeconds": 60},
            **more,
        )

    @rule(target=jobs, first=jobs, second=jobs)
    def submit_after(self, first: str, second: str) -> str:
        return self.lab.submit("sleep", "1", dependsOn=[{"jobId": first}, {"jobId": second}])

    @rule(seconds=st.sampled_from([0, 0.5, 1, 5, 30, 61]))
    def advance(self, seconds: float) -> None:
        self.lab.advance(seconds)

    @rule(job=jobs)
    def terminate(self, job: str) -> None:
        self.lab.engine.terminate(job, "terminated")

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        self.lab.engine.cancel(job, "cancelled")

    @rule(job=consumes(jobs))
    def reclaim(self, job: str) -> None:
        self.lab.engine.reclaim(job)

    @rule(queue=st.sampled_from(sorted(VCPUS)), state=st.sampled_from(["ENABLED", "DISABLED"]))
    def switch_environment(self, queue: str, state: str) -> None:
        self.lab.places.update_environment({"computeEnvironment": queue, "state": state})
        self.lab.engine.dispatch()

    @invariant()
    def room_is_never_exceeded(self) -> None:
        for arn, used in self.lab.engine.used().items():
            assert 0 <= used <= VCPUS[arn.rpartition("/")[2]] * 1000

    @invariant()
    def room_in_use_is_that_of_placed_jobs(self) -> None:
        placed = [job for job in self.lab.store if job.status.is_placed]

        assert sum(self.lab.engine.used().values()) == sum(
            job.spec.container.millivcpus for job in placed
        )

    @invariant()
    def every_step_is_one_of_the_table(self) -> None:
        for old, new in self.recording.steps:
            assert new in NEXT[old]
        self.recording.steps.clear()

    @invariant()
    def what_has_ended_stays_as_it_is(self) -> None:
        for job_id, job in self.ended.items():
            assert self.lab.job(job_id) == job
        self.ended = {job.id: job for job in self.lab.store if job.status.has_ended}

    @invariant()
    def attempts_are_no_more_than_the_strategy_allows(self) -> None:
        for job in self.lab.store:
            made = len(job.attempts) + (job.current is not None)
            assert made <= job.spec.retry.attempts

    @invariant()
    def the_index_agrees_with_the_jobs(self) -> None:
        groups = Counter((job.parent or job.spec.queue.arn, job.status) for job in self.lab.store)
        for group in {group for group, _ in groups}:
            counted = self.lab.store.counts(group)
            assert all(counted.get(status, 0) == groups[(group, status)] for status in ORDER)

    @invariant()
    def a_parents_counts_are_those_of_its_children(self) -> None:
        for job in self.lab.store:
            if job.children is not None:
                counted = Counter(child.status for child in self.lab.store.children(job.id))
                assert {status: count for status, count in job.children.items() if count} == counted

    def teardown(self) -> None:
        for queue in VCPUS:
            self.switch_environment(queue=queue, state="ENABLED")
        self.lab.advance(100_000)
        # What asks for more than its environment has is the only thing that may never end.
        for job in self.lab.store:
            assert job.status.has_ended or self._waits_for_ever(job)

    def _waits_for_ever(self, job: Job) -> bool:
        """Tell whether a job is stuck, behind one that is, or depends on one."""
        queue = job.spec.queue
        too_large = VCPUS[queue.name] * 1000
        if job.status is Status.RUNNABLE:
            waiting = self.lab.engine.waiting(queue, 1)
            return waiting[0].spec.container.millivcpus > too_large
        return job.status is Status.PENDING


Machine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEngine = Machine.TestCase
