"""AWS Batch fails, in whole or in part: it is seen on the task, and mends by itself."""

from urllib.parse import urlsplit

import pytest

from batchtask_local.batch import ErrorFault, Faults
from fakes.proxy import Proxy
from integration.faults.conftest import FACTOR, StartController
from integration.faults.world import FOREVER, World, a_task, condition, eventually, phase

pytestmark = [pytest.mark.integration, pytest.mark.envtest]


def test_a_neighbor_on_the_same_quota_slows_submissions_and_fails_none(
    world: World, start: StartController
) -> None:
    world.batch.set_faults(Faults(throttle=30, neighbor=18))
    names = [f"task-{number}" for number in range(100)]
    controller = start(BATCHTASK_CALLS_PER_SECOND=100, BATCHTASK_POLL_INTERVAL_SECONDS=1)

    world.create(*(a_task(name) for name in names))
    eventually(lambda: controller.metric("batchtask_aws_calls_per_second") <= 50, seconds=20)
    eventually(lambda: world.is_in("Succeeded", *names), seconds=60)

    refused = controller.metric(
        "batchtask_aws_calls_total", operation="SubmitJob", outcome="Throttled"
    )
    assert refused > 0
    assert len(world.batch.jobs()) == len(names)
    assert controller.errors() == []
    world.audit()

    world.batch.set_faults(Faults())
    before = controller.metric("batchtask_aws_calls_per_second")
    world.create(a_task("later", seconds=FOREVER))
    eventually(lambda: controller.metric("batchtask_aws_calls_per_second") > before + 1, seconds=20)


def test_expired_credentials_block_tasks_until_there_are_new_ones(
    world: World, start: StartController
) -> None:
    controller = start(factor=FACTOR)
    world.create(a_task("before", seconds=FOREVER))
    eventually(lambda: world.is_in("Running", "before"))

    world.batch.set_faults(Faults(expired=True))
    world.create(a_task("during"))
    eventually(lambda: world.blocked("during")[0] == "CredentialsRefused")

    assert "ExpiredTokenException" in world.blocked("during")[1]
    assert controller.said("submission was not taken: AWS refused the credentials")
    assert controller.metric("batchtask_aws_calls_total", outcome="Denied") > 0
    assert controller.is_alive()
    assert phase(world.tasks.get("before")) == "Running"

    world.batch.set_faults(Faults())
    eventually(lambda: world.is_in("Succeeded", "during"), seconds=20)
    assert condition(world.tasks.get("during"), "Blocked")["status"] == "False"
    world.audit()


def test_a_queue_that_is_denied_stops_no_other_queue(world: World, start: StartController) -> None:
    denied = [f"denied-{number}" for number in range(20)]
    healthy = [f"healthy-{number}" for number in range(20)]
    world.batch.set_faults(Faults(denied_queues=frozenset({"other"})))
    controller = start(factor=FACTOR)

    world.create(*(a_task(name, queue="other") for name in denied))
    eventually(lambda: all(world.blocked(name)[0] == "AccessDenied" for name in denied))
    world.create(*(a_task(name) for name in healthy))
    eventually(lambda: world.is_in("Succeeded", *healthy), seconds=20)

    # Each is tried again now and then, and Submitting for as long as that takes.
    eventually(lambda: world.phases() == {"Succeeded": 20, "Pending": 20}, every=0.2)
    assert controller.said("submission was not taken: AWS refused the right: AccessDenied")

    world.batch.set_faults(Faults())
    eventually(lambda: world.is_in("Succeeded", *denied), seconds=30)
    assert len(world.batch.jobs()) == len(denied) + len(healthy)
    world.audit()


def test_a_region_that_answers_503_loses_no_task_and_doubles_none(
    world: World, start: StartController
) -> None:
    controller = start(factor=FACTOR)
    running = [f"running-{number}" for number in range(10)]
    world.create(*(a_task(name, seconds=4) for name in running))
    eventually(lambda: world.is_in("Running", *running))

    down = ErrorFault(code="ServiceUnavailable", status=503, message="the region is down")
    world.batch.set_faults(Faults(errors=(down,)))
    world.create(a_task("during"))
    eventually(lambda: world.blocked("during")[0] in {"OutcomeUnknown", "AwsUnavailable"})
    eventually(lambda: not world.running_jobs())  # nobody can see that they ended
    absent = world.calls("DescribeJobs")
    eventually(lambda: world.calls("DescribeJobs") > absent + 4)

    assert world.phases()["Running"] == len(running)
    assert controller.said("jobs could not be described")
    assert controller.metric(
        "batchtask_aws_calls_total", operation="DescribeJobs", outcome="Unavailable"
    )
    assert controller.is_alive()

    world.batch.set_faults(Faults())
    eventually(lambda: world.is_in("Succeeded", *running), seconds=10)
    eventually(lambda: world.is_in("Succeeded", "during"), seconds=40)
    assert controller.errors() == []
    world.audit()


def test_a_region_that_refuses_connections_is_caught_up_with_afterwards(
    world: World, start: StartController
) -> None:
    port = urlsplit(world.batch.url).port
    assert port
    with Proxy(port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        controller = start(factor=FACTOR, BATCHTASK_AWS_ENDPOINT_URL=url)
        world.create(a_task("ends", seconds=2), a_task("goes-on", seconds=FOREVER))
        eventually(lambda: world.is_in("Running"))

        proxy.cut()
        world.create(a_task("during"))
        eventually(lambda: world.blocked("during")[0] == "AwsUnavailable")
        eventually(lambda: len(world.running_jobs()) == 1)

        assert "can't be reached" in world.blocked("during")[1]
        assert "submission" not in world.tasks.get("during")["status"]  # proven unsent
        assert phase(world.tasks.get("ends")) == "Running"
        assert controller.is_alive()

        proxy.restore()
        eventually(lambda: world.is_in("Succeeded", "ends", "during"), seconds=20)
        assert phase(world.tasks.get("goes-on")) == "Running"
        world.audit()


def test_a_job_that_vanishes_is_lost_only_when_it_is_too_old_to_be_late(
    world: World, start: StartController
) -> None:
    controller = start(factor=FACTOR)
    world.create(a_task("vanishes", seconds=FOREVER), a_task("stays", seconds=FOREVER))
    eventually(lambda: world.is_in("Running"))
    (job,) = world.jobs_of(world.tasks.get("vanishes"))

    assert world.batch.vanish(job.id)
    described = world.calls("DescribeJobs")
    eventually(lambda: world.calls("DescribeJobs") > described + 6)
    assert phase(world.tasks.get("vanishes")) == "Running"  # six sweeps, but it is young

    eventually(lambda: world.is_in("Lost", "vanishes"), seconds=30)
    task = world.tasks.get("vanishes")
    succeeded = condition(task, "Succeeded")
    assert (succeeded["status"], succeeded["reason"]) == ("False", "JobVanished")
    assert job.id in succeeded["message"]
    assert controller.metric("batchtask_ends_total", phase="Lost", reason="JobVanished") == 1
    assert phase(world.tasks.get("stays")) == "Running"
    assert [each.id for each in world.jobs_of(task)] == [job.id]
