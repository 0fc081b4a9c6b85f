import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from batchtask_api import AirflowIdentity, names
from batchtask_executor.cluster.manifest import (
    Identity,
    batch_task,
    external_id,
    external_id_from,
    label,
    labels,
    named,
    queuing_of,
    task_name,
    workload_secret,
)
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing

ID = "4d828a62-a417-4936-a7a6-2b3fabacecab"
RUN = "scheduled__2026-01-01T00:00:00+00:00"
AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id=RUN, try_number=1)
QUEUED = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
IDENTITY = Identity(ID, Queuing("9f6f8d2a", QUEUED), AIRFLOW)
JOB = Job({"jobQueue": "q", "jobDefinition": "d"}, container="main")
LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def task_of(identity: Identity = IDENTITY, priority: int = 5):  # type: ignore[no-untyped-def]
    return batch_task(identity, JOB, namespace="tasks", instance="prod", priority=priority)


def test_the_task_is_what_kubernetes_is_sent() -> None:
    assert task_of().to_json() == {
        "metadata": {
            "name": f"bt-{ID}",
            "namespace": "tasks",
            "uid": "",
            "resourceVersion": "",
            "labels": {
                "batchtask.dev/instance": "prod",
                "batchtask.dev/dag-id": "etl",
                "batchtask.dev/task-id": "load",
                "batchtask.dev/run-id": label(RUN),
                "batchtask.dev/try-number": "1",
            },
            "annotations": {
                "batchtask.dev/queuing": "9f6f8d2a",
                "batchtask.dev/queued-at": "2026-01-01T00:00:05Z",
            },
            "finalizers": ["batchtask.dev/job"],
        },
        "spec": {
            "job": {"jobQueue": "q", "jobDefinition": "d"},
            "workload": {"secretName": f"bt-{ID}", "container": "main"},
            "airflow": {
                "dagId": "etl",
                "taskId": "load",
                "runId": RUN,
                "mapIndex": -1,
                "tryNumber": 1,
            },
            "priority": 5,
            "cancel": False,
            "deletionPolicy": "Terminate",
        },
        "status": {"phase": "Pending", "conditions": []},
    }


@pytest.mark.parametrize(
    ("weight", "priority"), [(7, 7), (2**40, 2**31 - 1), (-(2**40), -(2**31)), (0, 0)]
)
def test_priority_weights_are_cut_to_what_the_resource_takes(weight: int, priority: int) -> None:
    assert task_of(priority=weight).spec.priority == priority


def test_one_of_many_mapped_tasks_is_found_by_its_index() -> None:
    mapped = AIRFLOW.model_copy(update={"map_index": 0, "try_number": 2})

    found = labels(mapped)

    assert found["batchtask.dev/map-index"] == "0"
    assert found["batchtask.dev/try-number"] == "2"


@settings(deadline=None)
@given(st.text())
def test_any_text_makes_a_label(value: str) -> None:
    made = label(value)

    assert LABEL.fullmatch(made)
    assert len(made) <= 63


@settings(deadline=None)
@given(st.text(), st.text())
def test_different_texts_make_different_labels(one: str, other: str) -> None:
    assert (label(one) == label(other)) is (one == other)


@settings(deadline=None)
@given(st.from_regex(LABEL, fullmatch=True).filter(lambda value: len(value) <= 63))
def test_a_text_that_is_a_label_stays(value: str) -> None:
    assert label(value) == value


def test_a_long_text_keeps_a_readable_beginning() -> None:
    assert label(RUN).startswith("scheduled__2026-01-01T00-00-00-00-00-")
    assert label("d" * 250).startswith("d" * 54 + "-")


@pytest.mark.parametrize("text", [ID, ID.upper(), ID.replace("-", "")])
def test_an_external_id_names_its_task_in_one_form(text: str) -> None:
    assert external_id(text) == ID
    assert named(task_name(ID)) == (ID, 0)
    assert named(task_name(ID, 12)) == (ID, 12)


@pytest.mark.parametrize("text", [None, "", "arn:aws:ecs:us-east-1:1:task/x", "7"])
def test_what_is_no_uuid_is_no_external_id(text: str | None) -> None:
    assert external_id(text) is None


@pytest.mark.parametrize(
    "name", ["mine", f"{ID}", "bt-mine", f"bt-{ID}-r0", f"bt-{ID}-r01", f"bt-{ID}-x", f"bt-{ID}-"]
)
def test_another_name_was_made_from_no_external_id(name: str) -> None:
    assert named(name) is None


@pytest.mark.parametrize("at", [QUEUED, None])
def test_a_task_says_which_queuing_made_it(at: datetime | None) -> None:
    queuing = Queuing("q", at)

    assert queuing_of(task_of(replace(IDENTITY, queuing=queuing))) == queuing


@pytest.mark.parametrize("text", ["yesterday", "2026-01-01T00:00:00", ""])
def test_a_time_that_cannot_be_read_is_none(text: str) -> None:
    task = task_of()
    annotations = {**task.metadata.annotations, "batchtask.dev/queued-at": text}
    metadata = task.metadata.model_copy(update={"annotations": annotations})

    assert queuing_of(task.model_copy(update={"metadata": metadata})) == Queuing("9f6f8d2a")


def test_a_restart_is_named_by_its_number() -> None:
    task = task_of(replace(IDENTITY, restarts=2))

    assert task.metadata.name == f"bt-{ID}-r2"
    assert task.spec.workload
    assert task.spec.workload.secret_name == f"bt-{ID}-r2"


@pytest.mark.parametrize("queuing", [ID.replace("-", ""), "not a uuid", ""])
def test_a_queuing_gives_an_external_id_the_same_each_time(queuing: str) -> None:
    made = external_id_from(queuing)

    assert made == external_id_from(queuing) == external_id(made)


def test_the_secret_names_its_task_as_owner_and_shows_nothing() -> None:
    uid = "7d6f0a52-0000-4000-8000-000000000000"
    metadata = task_of().metadata.model_copy(update={"uid": uid})
    task = task_of().model_copy(update={"metadata": metadata})
    expires = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2)))

    secret = workload_secret(task, SecretStr('{"token": "eyJ.top.secret"}'), expires)

    body = secret.to_json()
    assert "top.secret" not in f"{secret!r} {secret}"
    assert json.loads(base64.b64decode(body["data"].pop("workload.json"))) == {
        "token": "eyJ.top.secret"
    }
    assert body == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"bt-{ID}",
            "namespace": "tasks",
            "annotations": {"batchtask.dev/token-expires": "2026-01-02T01:04:05Z"},
            "ownerReferences": [
                {
                    "apiVersion": "batchtask.dev/v1alpha1",
                    "kind": "BatchTask",
                    "name": f"bt-{ID}",
                    "uid": uid,
                }
            ],
        },
        "type": names.WORKLOAD_SECRET_TYPE,
        "data": {},
    }
    assert datetime.fromisoformat(
        body["metadata"]["annotations"]["batchtask.dev/token-expires"]
    ) == expires.astimezone(UTC).replace(microsecond=0)
