"""What every implementation of the executor's port does."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from batchtask_api import AirflowIdentity, BatchTask, Phase, names
from batchtask_executor.cluster.manifest import (
    Identity,
    WorkloadSecret,
    batch_task,
    workload_secret,
)
from batchtask_executor.cluster.tasks import AlreadyExists, Bookmark, Deleted, Event, Seen
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing
from fakes.awaiting import until
from fakes.clusters import Cluster

AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id="r+1", try_number=2, map_index=3)
JOB = Job({"jobQueue": "q", "jobDefinition": "d", "tags": {"a_b": "c"}}, container="main")
EXPIRES = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def draft(
    cluster: Cluster,
    *,
    instance: str = "airflow",
    queuing: str = "q1",
    of: AirflowIdentity = AIRFLOW,
) -> BatchTask:
    identity = Identity(str(uuid.uuid4()), Queuing(queuing), of)
    return batch_task(identity, JOB, namespace=cluster.namespace, instance=instance, priority=7)


def secret_of(task: BatchTask, content: str = '{"a": 1}') -> WorkloadSecret:
    return workload_secret(task, SecretStr(content), EXPIRES)


def events_until(events: Iterator[Event], wanted: Callable[[Event], bool]) -> list[Event]:
    """The events up to and with the one that is wanted."""
    found = []
    for event in events:
        found.append(event)
        if wanted(event):
            return found
    raise AssertionError(f"the watch ended after {found}")


def is_bookmark(event: Event) -> bool:
    return isinstance(event, Bookmark)


def test_a_created_task_is_returned_with_what_the_server_gave_it(cluster: Cluster) -> None:
    task = draft(cluster)

    created = cluster.tasks.create(task)

    assert created.metadata.uid
    assert created.metadata.resource_version
    assert created.metadata.name == task.metadata.name
    assert created.metadata.labels == task.metadata.labels
    assert created.metadata.annotations == {names.ANNOTATION_QUEUING: "q1"}
    assert created.has_finalizer
    assert created.status.phase is Phase.PENDING
    assert cluster.job_of(task.metadata.name) == JOB.parameters


def test_tasks_are_read_without_their_job(cluster: Cluster) -> None:
    task = draft(cluster)
    created = cluster.tasks.create(task)

    read = cluster.tasks.get(task.metadata.name)

    assert created.spec.job == {}
    assert read == created
    assert cluster.tasks.list().tasks == [created]
    assert created.spec.airflow == AIRFLOW
    assert created.spec.priority == 7


def test_a_name_is_given_once(cluster: Cluster) -> None:
    task = draft(cluster)
    first = cluster.tasks.create(task)

    with pytest.raises(AlreadyExists):
        cluster.tasks.create(task)

    assert cluster.tasks.get(task.metadata.name) == first


def test_what_is_not_there_is_none(cluster: Cluster) -> None:
    assert cluster.tasks.get("bt-none") is None


def test_a_workload_belongs_to_its_task(cluster: Cluster) -> None:
    created = cluster.tasks.create(draft(cluster))

    cluster.tasks.put_workload(secret_of(created, '{"token": "é"}'))

    found = cluster.workload(created.metadata.name)
    assert found is not None
    assert found.type == names.WORKLOAD_SECRET_TYPE
    assert found.owner_uid == created.metadata.uid
    assert found.content == '{"token": "é"}'
    assert found.expires == "2026-01-02T03:04:05Z"


def test_a_workload_that_is_there_is_replaced(cluster: Cluster) -> None:
    created = cluster.tasks.create(draft(cluster))
    cluster.tasks.put_workload(secret_of(created, "old"))

    cluster.tasks.put_workload(secret_of(created, "new"))

    found = cluster.workload(created.metadata.name)
    assert found is not None
    assert found.content == "new"


def test_a_list_has_this_instance_only(cluster: Cluster) -> None:
    ours = cluster.tasks.create(draft(cluster))
    cluster.tasks.create(draft(cluster, instance="other"))

    listing = cluster.tasks.list()

    assert listing.tasks == [ours]
    assert listing.names == {ours.metadata.name}


def test_one_try_is_found_with_every_queuing_of_it_oldest_first(cluster: Cluster) -> None:
    others = [
        AIRFLOW.model_copy(update=changed)
        for changed in (
            {"try_number": 1},
            {"map_index": 2},
            {"dag_id": "other"},
            {"task_id": "other"},
            {"run_id": "other"},
        )
    ]
    for other in others:
        cluster.tasks.create(draft(cluster, of=other))
    cluster.tasks.create(draft(cluster, instance="other"))
    ours = [cluster.tasks.create(draft(cluster, queuing=f"q{n}")) for n in range(2)]
    # What is found comes from the API server's memory, which is a moment behind its store.
    until(lambda: len(cluster.tasks.find(AIRFLOW)) >= 2)

    found = cluster.tasks.find(AIRFLOW)

    created = [task.metadata.creation_timestamp for task in found]
    assert {task.metadata.name for task in found} == {task.metadata.name for task in ours}
    assert created == sorted(filter(None, created))
    assert [len(cluster.tasks.find(other)) for other in others] == [1] * 5


def test_what_no_try_made_is_not_found(cluster: Cluster) -> None:
    assert cluster.tasks.find(AIRFLOW) == []


def test_a_list_may_be_empty_and_be_watched_from(cluster: Cluster) -> None:
    listing = cluster.tasks.list()

    assert listing.tasks == []
    assert next(iter(cluster.tasks.watch(listing.resource_version))) == Bookmark(
        listing.resource_version
    )


def test_a_watch_tells_what_happens_after_the_list(cluster: Cluster) -> None:
    before = cluster.tasks.create(draft(cluster))
    since = cluster.tasks.list().resource_version
    events = cluster.tasks.watch(since)
    assert isinstance(next(events), Bookmark)
    cluster.tasks.create(draft(cluster, instance="other"))
    cluster.set_status(before.metadata.name, phase=Phase.RUNNING, job_id="1a2b")
    after = cluster.tasks.create(draft(cluster))

    told = events_until(events, lambda event: event == Seen(after, after.metadata.resource_version))

    (changed,) = [event for event in told[:-1] if not is_bookmark(event)]
    assert isinstance(changed, Seen)
    assert changed.task.metadata.name == before.metadata.name
    assert changed.task.status.phase is Phase.RUNNING
    assert changed.task.status.job_id == "1a2b"
    assert changed.task.spec.job == {}
    assert changed.resource_version == changed.task.metadata.resource_version


def test_a_watch_goes_on_from_the_last_event(cluster: Cluster) -> None:
    first = cluster.tasks.create(draft(cluster))
    second = cluster.tasks.create(draft(cluster))

    events = cluster.tasks.watch(first.metadata.resource_version)

    told = events_until(events, lambda event: isinstance(event, Seen))
    assert told[-1] == Seen(second, second.metadata.resource_version)


def test_a_deletion_is_told_twice_when_it_is_asked_for_and_when_it_is_done(
    cluster: Cluster,
) -> None:
    created = cluster.tasks.create(draft(cluster))
    cluster.set_status(created.metadata.name, phase=Phase.SUCCEEDED)
    events = cluster.tasks.watch(cluster.tasks.list().resource_version)
    cluster.delete(created.metadata.name)
    cluster.release(created.metadata.name)

    told = [
        event
        for event in events_until(events, lambda event: isinstance(event, Deleted))
        if not is_bookmark(event)
    ]

    assert isinstance(told[0], Seen)
    assert told[0].task.is_deleting
    assert isinstance(told[-1], Deleted)
    assert told[-1].task.is_deleting
    assert told[-1].task.status.phase is Phase.SUCCEEDED
    assert cluster.tasks.get(created.metadata.name) is None


def test_a_task_that_leaves_the_instance_is_told_as_deleted_and_is_there(
    cluster: Cluster,
) -> None:
    created = cluster.tasks.create(draft(cluster))
    events = cluster.tasks.watch(cluster.tasks.list().resource_version)

    cluster.relabel(created.metadata.name, "other")

    told = events_until(events, lambda event: isinstance(event, Deleted))[-1]
    assert isinstance(told, Deleted)
    assert not told.task.is_deleting
    still = cluster.tasks.get(created.metadata.name)
    assert still is not None
    assert still.metadata.uid == told.task.metadata.uid
    assert cluster.tasks.list().names == frozenset()


def test_a_task_is_cancelled_once_and_again(cluster: Cluster) -> None:
    created = cluster.tasks.create(draft(cluster))

    cluster.tasks.cancel(created.metadata.name)
    cluster.tasks.cancel(created.metadata.name)

    found = cluster.tasks.get(created.metadata.name)
    assert found is not None
    assert found.spec.cancel


def test_cancelling_what_is_gone_is_done(cluster: Cluster) -> None:
    cluster.tasks.cancel("bt-none")


def test_closing_ends_a_watch_that_waits(cluster: Cluster) -> None:
    events = cluster.tasks.watch(cluster.tasks.list().resource_version)
    assert isinstance(next(events), Bookmark)
    rest: list[Event] = []
    thread = threading.Thread(target=lambda: rest.extend(events), daemon=True)
    thread.start()

    cluster.tasks.close()

    thread.join(10)
    assert not thread.is_alive()
