"""What the ports `Tasks` and `Leases` promise, of the fake and of the real API server alike."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from batchtask_api import BatchTask, BatchTaskStatus, ConditionType, Phase, Reason, names
from batchtask_controller import status
from batchtask_controller.clock import SystemClock
from batchtask_controller.leader import Leader
from batchtask_controller.request import Problem
from batchtask_controller.tasks import Conflict, Gone, Refused
from batchtask_controller.timings import Timings
from batchtask_local.apiserver import ApiServer
from builders import CREATED, WORKLOAD, a_job, a_reference, a_secret, a_submission
from integration.controller.clusters import Cluster, FakeOne, real_cluster

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

Step = Callable[[BatchTask], BatchTaskStatus]
OURS, THEIRS = names.FINALIZER, "other.dev/hold"


@pytest.fixture(params=["fake", "real"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    if request.param == "fake":
        yield FakeOne()
        return
    server: ApiServer = request.getfixturevalue("envtest_server")
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    server.create_namespace(namespace)
    async with real_cluster(server, namespace) as made:
        yield made


# -- tasks ----------------------------------------------------------------------------------------


async def test_a_new_task_has_what_the_api_server_gives(cluster: Cluster) -> None:
    created = await cluster.create("bt-1", OURS)

    assert created.metadata.uid
    assert int(created.metadata.resource_version) > 0
    assert created.metadata.generation == 1
    assert created.metadata.creation_timestamp is not None
    assert created.status.phase is Phase.PENDING
    assert created.has_finalizer
    assert not created.is_deleting


async def test_tasks_are_listed_and_read_as_they_are(cluster: Cluster) -> None:
    created = {
        (await cluster.create(f"bt-{number}")).metadata.uid: f"bt-{number}" for number in range(3)
    }

    listed = await cluster.tasks.list()

    assert {task.metadata.uid: task.metadata.name for task in listed} == created
    assert await cluster.tasks.get(listed[0]) == listed[0]


async def test_a_status_patch_changes_the_status_and_the_version(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    meant = status.intended(task, a_submission(), CREATED)

    patched = await cluster.tasks.patch_status(task, status.changes(task.status, meant))

    assert patched.status == meant
    assert int(patched.metadata.resource_version) > int(task.metadata.resource_version)
    assert patched.metadata.generation == 1
    assert await cluster.tasks.get(task) == patched


async def test_every_status_on_the_way_is_taken_as_it_is_meant(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    problem = Problem(Reason.ACCESS_DENIED, "AWS refused the right")
    later = CREATED + timedelta(seconds=90, microseconds=123456)

    steps: tuple[Step, ...] = (
        lambda task: status.intended(task, a_submission(at=later), later),
        lambda task: status.blocked(task, problem, later),
        lambda task: status.withdrawn(task, problem, later),
        lambda task: status.intended(task, a_submission(attempt=2), later),
        lambda task: status.intended(task, a_submission(attempt=3, account=None), later),
        lambda task: status.submitted(task, a_reference(), later),
        lambda task: status.running(task, a_job(started_at=later, exit_code=0), later),
    )

    for step in steps:
        meant = step(task)
        task = await cluster.tasks.patch_status(task, status.changes(task.status, meant))
        assert task.status == meant


async def test_a_patch_against_an_old_version_is_a_conflict(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    await cluster.annotate("bt-1")

    with pytest.raises(Conflict):
        await cluster.tasks.patch_status(task, {"phase": "Submitting"})
    with pytest.raises(Conflict):
        await cluster.tasks.set_finalizers(task, [OURS])

    current = await cluster.tasks.get(task)
    assert current.status.phase is Phase.PENDING
    assert not current.has_finalizer


async def test_of_two_patches_against_one_version_one_wins(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")

    found = await asyncio.gather(
        *(cluster.tasks.patch_status(task, {"statusReason": each}) for each in "ab"),
        return_exceptions=True,
    )

    assert sorted(isinstance(each, Conflict) for each in found) == [False, True]


async def test_a_patch_that_changes_nothing_makes_no_version(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    patched = await cluster.tasks.patch_status(task, {"phase": "Submitting"})

    again = await cluster.tasks.patch_status(patched, {"phase": "Submitting"})

    assert again.metadata.resource_version == patched.metadata.resource_version


async def test_a_job_id_is_written_once(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    task = await cluster.tasks.patch_status(task, {"jobId": "job-1"})

    for wrong in ("job-2", None):
        with pytest.raises(Refused, match="jobId"):
            await cluster.tasks.patch_status(task, {"jobId": wrong})

    assert (await cluster.tasks.get(task)).status.job_id == "job-1"


async def test_a_task_that_is_gone_is_gone_for_every_request(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    await cluster.remove("bt-1")

    with pytest.raises(Gone):
        await cluster.tasks.get(task)
    with pytest.raises(Gone):
        await cluster.tasks.patch_status(task, {"phase": "Submitting"})
    with pytest.raises(Gone):
        await cluster.tasks.set_finalizers(task, [OURS])
    with pytest.raises(Gone):
        await cluster.tasks.delete(task)


async def test_a_namesake_is_left_alone(cluster: Cluster) -> None:
    first = await cluster.create("bt-1")
    await cluster.remove("bt-1")
    second = await cluster.create("bt-1")

    with pytest.raises(Gone):
        await cluster.tasks.get(first)
    with pytest.raises(Conflict):
        await cluster.tasks.patch_status(first, {"phase": "Submitting"})
    with pytest.raises(Conflict):
        await cluster.tasks.set_finalizers(first, [OURS])
    with pytest.raises(Conflict):
        await cluster.tasks.delete(first)

    assert await cluster.tasks.get(second) == second


async def test_a_namesake_of_the_version_that_was_read_is_left_alone_too(cluster: Cluster) -> None:
    first = await cluster.create("bt-1")
    await cluster.remove("bt-1")
    second = await cluster.create("bt-1")
    version = {"resource_version": second.metadata.resource_version}
    mixed = first.model_copy(update={"metadata": first.metadata.model_copy(update=version)})

    with pytest.raises((Conflict, Refused)):
        await cluster.tasks.set_finalizers(mixed, [OURS])

    assert await cluster.tasks.get(second) == second


async def test_a_change_of_the_spec_is_a_new_generation(cluster: Cluster) -> None:
    await cluster.create("bt-1")

    changed = await cluster.change_spec("bt-1", cancel=True)
    annotated = await cluster.annotate("bt-1")

    assert changed.spec.cancel
    assert (changed.metadata.generation, annotated.metadata.generation) == (2, 2)


async def test_a_task_with_a_finalizer_stays_until_it_is_dropped(cluster: Cluster) -> None:
    task = await cluster.create("bt-1", OURS)

    await cluster.tasks.delete(task)
    await cluster.tasks.delete(task)
    waiting = await cluster.tasks.get(task)
    assert waiting.is_deleting
    assert waiting.metadata.generation == 2
    await cluster.tasks.set_finalizers(waiting, [])

    with pytest.raises(Gone):
        await cluster.tasks.get(task)


async def test_the_status_can_be_written_while_the_deletion_waits(cluster: Cluster) -> None:
    task = await cluster.create("bt-1", OURS)
    await cluster.remove("bt-1")
    waiting = await cluster.tasks.get(task)

    patched = await cluster.tasks.patch_status(waiting, {"phase": "Running"})

    assert patched.status.phase is Phase.RUNNING
    assert patched.is_deleting


async def test_no_finalizer_comes_while_the_deletion_waits(cluster: Cluster) -> None:
    task = await cluster.create("bt-1", THEIRS)
    await cluster.remove("bt-1")
    waiting = await cluster.tasks.get(task)

    with pytest.raises(Refused):
        await cluster.tasks.set_finalizers(waiting, [THEIRS, OURS])


async def test_a_finalizer_is_added_beside_anothers(cluster: Cluster) -> None:
    task = await cluster.create("bt-1", THEIRS)

    claimed = await cluster.tasks.set_finalizers(task, [THEIRS, OURS])

    assert claimed.metadata.finalizers == (THEIRS, OURS)
    assert claimed.metadata.generation == 1


async def test_a_secret_is_read_once_it_is_there(cluster: Cluster) -> None:
    task = await cluster.create("bt-1", workload=True)
    assert await cluster.tasks.workload(task) is None

    await cluster.add_secret("bt-1", a_secret(task, expires=CREATED))

    found = await cluster.tasks.workload(task)
    assert found is not None
    assert (found.type, found.content, found.expires) == (
        names.WORKLOAD_SECRET_TYPE,
        WORKLOAD,
        CREATED,
    )
    assert [owner.uid for owner in found.owners] == [task.metadata.uid]
    assert "a-token" not in repr(found)


async def test_a_task_without_a_workload_has_no_secret(cluster: Cluster) -> None:
    assert await cluster.tasks.workload(await cluster.create("bt-1")) is None


async def test_conditions_are_replaced_as_a_whole(cluster: Cluster) -> None:
    task = await cluster.create("bt-1")
    problem = Problem(Reason.THROTTLED, "slow down")
    steps: tuple[Step, ...] = (
        lambda task: status.blocked(task, problem, CREATED),
        lambda task: status.submitted(task, a_reference(), CREATED),
    )

    for step in steps:
        task = await cluster.tasks.patch_status(task, status.changes(task.status, step(task)))

    assert [each.type for each in task.status.conditions] == [*ConditionType]


# -- the Lease ------------------------------------------------------------------------------------

SPEC = {
    "holderIdentity": "one",
    "leaseDurationSeconds": 8,
    "acquireTime": "2026-01-15T12:00:00.000000Z",
    "renewTime": "2026-01-15T12:00:00.000000Z",
    "leaseTransitions": 0,
}


async def test_a_lease_is_made_once(cluster: Cluster) -> None:
    assert await cluster.leases.read() is None

    made = await cluster.leases.create(SPEC)

    with pytest.raises(Conflict):
        await cluster.leases.create(SPEC)
    found = await cluster.leases.read()
    assert found is not None
    assert found["spec"] == made["spec"] == SPEC
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_lease_is_replaced_only_by_who_read_it_last(cluster: Cluster) -> None:
    made = await cluster.leases.create(SPEC)
    renewed = await cluster.leases.replace(made, {**SPEC, "leaseTransitions": 1})

    with pytest.raises(Conflict):
        await cluster.leases.replace(made, {**SPEC, "holderIdentity": "two"})

    assert renewed["spec"]["leaseTransitions"] == 1
    assert await cluster.leases.read() == renewed


async def test_a_lease_can_be_let_go(cluster: Cluster) -> None:
    made = await cluster.leases.create(SPEC)

    freed = await cluster.leases.replace(
        made, {**SPEC, "holderIdentity": "", "leaseDurationSeconds": 1}
    )

    assert not freed["spec"].get("holderIdentity")


async def test_of_two_processes_one_leads_until_it_lets_go(cluster: Cluster) -> None:
    timings = Timings()
    one = Leader(cluster.leases, "one", SystemClock(), timings)
    two = Leader(cluster.leases, "two", SystemClock(), timings)

    await asyncio.gather(one.step(), two.step())
    first = [one.leads(), two.leads()]
    leading, other = (one, two) if one.leads() else (two, one)
    await other.step()
    assert not other.leads()
    await leading.release()
    await other.step()

    assert sorted(first) == [False, True]
    assert (leading.leads(), other.leads()) == (False, True)
