"""Whatever happens and whenever: at most one job a task, one end that stays, and always an end."""

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from batchtask_api import BatchTask, Phase
from batchtask_controller.batch import Denied, JobStatus, Throttled, Unavailable
from batchtask_controller.tasks import Conflict, Refused, Unreachable
from builders import a_secret, a_task
from fakes.batch import LostReply
from fakes.clock import VirtualTimeLoop
from fakes.cluster import Failure
from unit.controller.world import Controller, World

MOST_TASKS = 6
RANK = {
    Phase.PENDING: 0,
    Phase.SUBMITTING: 0,  # and back, when nothing was sent
    Phase.SUBMITTED: 1,
    Phase.RUNNABLE: 2,
    Phase.STARTING: 3,
    Phase.RUNNING: 4,
}
FOLLOWING = {
    JobStatus.SUBMITTED: JobStatus.PENDING,
    JobStatus.PENDING: JobStatus.RUNNABLE,
    JobStatus.RUNNABLE: JobStatus.STARTING,
    JobStatus.STARTING: JobStatus.RUNNING,
    JobStatus.RUNNING: JobStatus.SUCCEEDED,
}
NUMBERS = st.integers(0, MOST_TASKS - 1)
CLUSTER_ERRORS = (Unreachable("reset"), Conflict("modified"), Refused("forbidden"))
BATCH_ERRORS = (
    Throttled("TooManyRequestsException", 2),
    Unavailable("AWS Batch can't be reached"),
    Denied("AWS refused the credentials"),
)


class ControllerMachine(RuleBasedStateMachine):
    """Controllers that come and go over one cluster and one AWS account, in which things happen."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.world = self.run(self._made())
        self.running: list[Controller] = []
        self.started = 0
        self.added: list[BatchTask] = []
        self.jumped = 0

    async def _made(self) -> World:
        return World.now()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in virtual time."""
        return self.loop.run_until_complete(work)

    @initialize()
    def start(self) -> None:
        self.start_controller()

    # -- users ------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.added) < MOST_TASKS)
    @rule(workload=st.booleans(), secret=st.booleans(), claimed=st.booleans())
    def add_task(self, workload: bool, secret: bool, claimed: bool) -> None:
        wanted = a_task(f"bt-{len(self.added)}", workload=workload)
        if not claimed:
            metadata = wanted.metadata.model_copy(update={"finalizers": ()})
            wanted = wanted.model_copy(update={"metadata": metadata})
        self.added.append(self.run(self._in_loop(lambda: self.world.cluster.add(wanted))))
        if secret:
            self.bring_secret(len(self.added) - 1)

    @rule(number=NUMBERS)
    def bring_secret(self, number: int) -> None:
        if (task := self._there(number)) is not None and task.spec.workload is not None:
            self.world.cluster.add_secret(task.metadata.name, a_secret(task))

    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        if (task := self._there(number)) is not None:
            name = task.metadata.name
            self.run(self._in_loop(lambda: self.world.cluster.change_spec(name, cancel=True)))

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        if (task := self._there(number)) is not None:
            self.run(self._in_loop(lambda: self.world.cluster.remove(task.metadata.name)))

    @rule(number=NUMBERS, text=st.sampled_from("xyz"))
    def annotate(self, number: int, text: str) -> None:
        if (task := self._there(number)) is not None:
            name = task.metadata.name
            self.run(self._in_loop(lambda: self.world.cluster.annotate(name, touched=text)))

    # -- AWS Batch --------------------------------------------------------------------------------

    @rule(number=NUMBERS)
    def job_goes_on(self, number: int) -> None:
        self._advance(number)

    @rule(number=NUMBERS)
    def job_fails(self, number: int) -> None:
        self._advance(number, JobStatus.FAILED)

    @rule(takes_effect=st.booleans(), after=st.sampled_from([0, 0.1, 2, 30, 100]))
    def lose_reply(self, takes_effect: bool, after: float) -> None:
        self.world.batch.lose_next(LostReply(takes_effect, after))

    @rule(lag=st.sampled_from([0, 20, 100]))
    def show_jobs_late(self, lag: float) -> None:
        self.world.batch.visibility_lag_seconds = lag

    @rule(
        operation=st.sampled_from(["submit", "describe", "find", "terminate"]),
        error=st.sampled_from(BATCH_ERRORS),
        times=st.integers(1, 3),
    )
    def fail_batch(self, operation: str, error: Exception, times: int) -> None:
        self.world.batch.fail_next(operation, *[error] * times)

    # -- the cluster ------------------------------------------------------------------------------

    @rule(
        operation=st.sampled_from(
            ["list", "get", "patch_status", "set_finalizers", "delete", "workload", "replace"]
        ),
        error=st.sampled_from(CLUSTER_ERRORS),
        takes_effect=st.booleans(),
        times=st.integers(1, 4),
    )
    def fail_cluster(
        self, operation: str, error: Exception, takes_effect: bool, times: int
    ) -> None:
        failure = Failure(error, takes_effect and isinstance(error, Unreachable))  # type: ignore[arg-type]
        self.world.cluster.fail_next(operation, *[failure] * times)

    @rule(cluster=st.sampled_from([0, 0.1, 0.7]), batch=st.sampled_from([0, 0.1, 3]))
    def slow_down(self, cluster: float, batch: float) -> None:
        self.world.cluster.latency_seconds = cluster
        self.world.batch.latency_seconds = batch

    @rule(hold=st.booleans())
    def hold_watches(self, hold: bool) -> None:
        for controller in self.running:
            act = controller.watch.hold if hold else controller.watch.release
            self.run(self._in_loop(act))

    @rule()
    def lose_lease(self) -> None:
        self.world.cluster.lease = None

    # -- processes and time -----------------------------------------------------------------------

    @precondition(lambda self: len(self.running) < 2)
    @rule()
    def start_controller(self) -> None:
        self.started += 1
        name = f"controller-{self.started}"
        self.running.append(self.run(self._in_loop(lambda: self.world.start(name))))

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1))
    def kill_controller(self, which: int) -> None:
        self.run(self.running.pop(which % len(self.running)).kill())

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 1))
    def stop_controller(self, which: int) -> None:
        self.run(self.running.pop(which % len(self.running)).stop())

    @rule(seconds=st.sampled_from([0.05, 0.1, 0.15, 0.3, 1, 3, 11, 45, 200, 600]))
    def time_passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([-25, 25]))
    def clock_jumps(self, seconds: int) -> None:
        if abs(self.jumped + seconds) <= 25:
            self.jumped += seconds
            self.world.clock.jump(seconds)

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def each_task_has_at_most_one_job(self) -> None:
        counts = {task.metadata.name: self.world.jobs_of(task) for task in self.added}
        assert all(count <= 1 for count in counts.values()), counts

    @invariant()
    def no_job_came_without_its_intent(self) -> None:
        assert self.world.unannounced == []

    @invariant()
    def no_status_goes_back(self) -> None:
        for history in self.world.cluster.statuses.values():
            phases = [Phase(each.get("phase", "Pending")) for each in history]
            for before, after in pairwise(phases):
                assert not before.is_finished or after is before, phases
                assert after.is_finished or RANK[before] <= RANK[after], phases
            ids = [each["jobId"] for each in history if "jobId" in each]
            assert len(set(ids)) <= 1
            assert all("jobId" in each for each in history[len(history) - len(ids) :])

    @invariant()
    def no_loop_has_died(self) -> None:
        assert all(controller.crew.is_whole for controller in self.running)

    def teardown(self) -> None:
        """Let all trouble end: then every task comes to its end, and the deleted ones are gone."""
        try:
            self._calm_down()
            for _ in range(25):
                self.run(asyncio.sleep(120))
                for number in range(len(self.added)):
                    self._advance(number, JobStatus.SUCCEEDED)
            self.run(asyncio.sleep(120))
            self.each_task_has_at_most_one_job()
            self.no_status_goes_back()
            for task in self.world.cluster.tasks():
                assert task.status.phase.is_finished, task
                assert not task.is_deleting, task
        finally:
            self.run(self.world.end())
            self.loop.close()

    def _calm_down(self) -> None:
        self.world.batch.calm()
        self.world.cluster.calm()
        self.slow_down(0, 0)
        self.show_jobs_late(0)
        self.hold_watches(hold=False)
        if not self.running:
            self.start_controller()

    # -- inside -----------------------------------------------------------------------------------

    def _there(self, number: int) -> BatchTask | None:
        """The task of that number, if it is still in the cluster."""
        name = f"bt-{number}"
        return self.world.cluster.task(name) if self.world.cluster.has(name) else None

    def _advance(self, number: int, status: JobStatus | None = None) -> None:
        if number >= len(self.added):
            return
        for job in self.world.batch.named(self.added[number].metadata.uid):
            if not job.status.has_ended:
                self.world.batch.advance(job.id, status or FOLLOWING[job.status])

    async def _in_loop(self, act: Any) -> Any:
        return act()


ControllerMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestControllerMachine = ControllerMachine.TestCase
