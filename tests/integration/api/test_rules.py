"""What the API server refuses by CEL, and the ways round it that don't work."""

import json
from typing import Any

import pytest

from batchtask_local.apiserver import RequestRefusedError
from integration.api.cluster import JOB, Kubectl, Tasks, a_task

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

INVALID = 422
AIRFLOW = {"dagId": "d", "taskId": "t", "runId": "r", "tryNumber": 1}
COMMAND = {"containerOverrides": {"command": ["true"]}}


def full(name: str) -> dict[str, Any]:
    """A task that has everything that can't be changed."""
    job = {"timeout": {"attemptDurationSeconds": 60}, "tags": {"a": "b"}}
    return a_task(name, job={**JOB, **job}, workload={"secretName": name}, airflow=dict(AIRFLOW))


def ecs(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"ecsPropertiesOverride": {"taskProperties": [{"containers": list(containers)}]}}


def eks(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"eksPropertiesOverride": {"podProperties": {"containers": list(containers)}}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({"job": {"jobQueue": "other"}}, "spec.job", id="another queue"),
        pytest.param({"job": {"tags": None}}, "spec.job", id="an optional field removed"),
        pytest.param({"job": {"tags": {"a": None}}}, "spec.job", id="a map's key removed"),
        pytest.param({"job": {"tags": {"c": "d"}}}, "spec.job", id="a map's key added"),
        pytest.param({"job": {"propagateTags": True}}, "spec.job", id="an optional field added"),
        pytest.param(
            {"job": {"timeout": {"attemptDurationSeconds": 61}}}, "spec.job", id="a nested field"
        ),
        pytest.param({"workload": None}, "spec.workload", id="workload removed"),
        pytest.param({"workload": {"container": "c"}}, "spec.workload", id="container added"),
        pytest.param({"airflow": None}, "spec.airflow", id="airflow removed"),
        pytest.param({"airflow": {"mapIndex": 1}}, "spec.airflow", id="a default changed"),
        pytest.param({"airflow": {"executorName": "e"}}, "spec.airflow", id="a name added"),
    ],
)
def test_what_was_asked_for_cannot_be_changed(
    spec: dict[str, Any], field: str, tasks: Tasks
) -> None:
    before = tasks.create(full("a"))

    with pytest.raises(RequestRefusedError) as refused:
        tasks.patch("a", {"spec": spec})

    assert refused.value.status == INVALID
    assert f"{field}: Forbidden: {field} can't be changed: create another BatchTask" in str(
        refused.value
    )
    assert tasks.get("a") == before


@pytest.mark.parametrize("field", ["workload", "airflow"])
def test_an_optional_part_cannot_be_swapped_by_removing_it_first(field: str, tasks: Tasks) -> None:
    body = tasks.create(full("a"))
    without = {**body, "spec": {key: body["spec"][key] for key in body["spec"] if key != field}}

    with pytest.raises(RequestRefusedError, match=rf"spec\.{field} can't be changed"):
        tasks.replace("a", without)


@pytest.mark.parametrize(
    ("field", "value"), [("workload", {"secretName": "a"}), ("airflow", dict(AIRFLOW))]
)
def test_an_optional_part_cannot_be_added_later(
    field: str, value: dict[str, Any], tasks: Tasks
) -> None:
    tasks.create(a_task("a"))

    with pytest.raises(RequestRefusedError, match=rf"spec\.{field} can't be changed"):
        tasks.patch("a", {"spec": {field: value}})


def test_server_side_apply_cannot_drop_a_part_that_it_owns(tasks: Tasks, kubectl: Kubectl) -> None:
    body = full("a")
    apply = ("apply", "--server-side", "-n", tasks.namespace, "-f", "-")
    assert kubectl(*apply, stdin=json.dumps(body)).returncode == 0
    del body["spec"]["workload"]

    refused = kubectl(*apply, stdin=json.dumps(body))

    assert refused.returncode == 1
    assert "spec.workload can't be changed" in refused.stderr


def test_the_spec_cannot_be_removed(tasks: Tasks) -> None:
    tasks.create(full("a"))

    with pytest.raises(RequestRefusedError, match="spec: Required value"):
        tasks.patch("a", {"spec": None})


@pytest.mark.parametrize(
    "spec",
    [
        {"priority": 9},
        {"deletionPolicy": "Retain"},
        {"ttlSecondsAfterFinished": 5},
        {"ttlSecondsAfterFinished": None},
        {"cancel": True},
    ],
)
def test_what_may_change_changes(spec: dict[str, Any], tasks: Tasks) -> None:
    tasks.create(a_task("a", ttlSecondsAfterFinished=60))

    changed = tasks.patch("a", {"spec": spec})

    ((field, value),) = spec.items()
    assert changed["spec"].get(field) == value
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    "spec",
    [{"priority": None}, {"deletionPolicy": None}],
    ids=lambda spec: next(iter(spec)),
)
def test_what_is_removed_has_its_default_again(spec: dict[str, Any], tasks: Tasks) -> None:
    tasks.create(a_task("a", priority=9, deletionPolicy="Retain"))

    changed = tasks.patch("a", {"spec": spec})["spec"]

    (field,) = spec
    assert changed[field] == {"priority": 0, "deletionPolicy": "Terminate"}[field]


@pytest.mark.parametrize("value", [False, None], ids=["false", "absent"])
def test_a_cancel_cannot_be_taken_back(value: object, tasks: Tasks) -> None:
    tasks.create(a_task("a", cancel=True))

    with pytest.raises(RequestRefusedError, match=r"spec\.cancel can't be taken back"):
        tasks.patch("a", {"spec": {"cancel": value}})


def test_a_cancel_cannot_be_taken_back_by_an_object_without_it(tasks: Tasks) -> None:
    body = tasks.create(a_task("a", cancel=True))
    del body["spec"]["cancel"]

    with pytest.raises(RequestRefusedError, match=r"spec\.cancel can't be taken back"):
        tasks.replace("a", body)


def test_a_cancel_cannot_be_taken_back_by_kubectl_apply(tasks: Tasks, kubectl: Kubectl) -> None:
    apply = ("apply", "-n", tasks.namespace, "-f", "-")
    assert kubectl(*apply, stdin=json.dumps(a_task("a", cancel=True))).returncode == 0

    refused = kubectl(*apply, stdin=json.dumps(a_task("a")))

    assert refused.returncode == 1
    assert "spec.cancel can't be taken back" in refused.stderr
    assert tasks.get("a")["spec"]["cancel"] is True


def test_a_secret_of_another_name_is_refused(tasks: Tasks) -> None:
    with pytest.raises(RequestRefusedError, match=r"secretName must equal metadata\.name"):
        tasks.create(a_task("a", workload={"secretName": "another-tasks"}))


def test_the_secret_cannot_be_changed_later(tasks: Tasks) -> None:
    tasks.create(full("a"))

    with pytest.raises(RequestRefusedError) as refused:
        tasks.patch("a", {"spec": {"workload": {"secretName": "b"}}})

    assert "spec.workload.secretName must equal metadata.name" in str(refused.value)
    assert "spec.workload can't be changed" in str(refused.value)


@pytest.mark.parametrize(
    ("job", "workload", "field"),
    [
        pytest.param({"arrayProperties": {"size": 2}}, {}, "arrayProperties", id="array"),
        pytest.param({"arrayProperties": {}}, {}, "arrayProperties", id="empty array"),
        pytest.param({"nodeOverrides": {"numNodes": 2}}, {}, "nodeOverrides", id="multi-node"),
        pytest.param(COMMAND, {}, "containerOverrides.command", id="command"),
        pytest.param(
            {"containerOverrides": {"command": []}},
            {},
            "containerOverrides.command",
            id="empty command",
        ),
        pytest.param(
            ecs({"command": ["a"]}), {}, "ecsPropertiesOverride.taskProperties", id="ecs, first"
        ),
        pytest.param(
            ecs({"name": "a"}, {"name": "b", "command": ["x"]}),
            {"container": "b"},
            "ecsPropertiesOverride.taskProperties",
            id="ecs, named",
        ),
        pytest.param(
            eks({"args": ["a"]}), {}, "eksPropertiesOverride.podProperties.containers", id="eks"
        ),
        pytest.param(
            eks({"command": ["a"]}),
            {},
            "eksPropertiesOverride.podProperties.containers",
            id="eks, entrypoint",
        ),
        pytest.param(
            eks({"name": "a"}, {"name": "b", "args": []}),
            {"container": "b"},
            "eksPropertiesOverride.podProperties.containers",
            id="eks, named",
        ),
    ],
)
def test_a_workload_refuses_what_would_start_it_twice_or_not_at_all(
    job: dict[str, Any], workload: dict[str, Any], field: str, tasks: Tasks
) -> None:
    body = a_task("a", job={**JOB, **job}, workload={"secretName": "a", **workload})

    with pytest.raises(RequestRefusedError) as refused:
        tasks.create(body)

    assert refused.value.status == INVALID
    assert f"spec.job.{field}: Forbidden: spec.job.{field}" in str(refused.value)
    assert "can't go with spec.workload" in str(refused.value)
    assert "remove one of the two" in str(refused.value)


@pytest.mark.parametrize(
    "job",
    [
        {"arrayProperties": {"size": 2}},
        {"nodeOverrides": {"numNodes": 2}},
        COMMAND,
        ecs({"command": ["a"]}),
        eks({"args": ["a"]}),
    ],
    ids=["array", "multi-node", "command", "ecs", "eks"],
)
def test_without_a_workload_all_of_it_is_taken(job: dict[str, Any], tasks: Tasks) -> None:
    tasks.create(a_task("a", job={**JOB, **job}))

    assert tasks.get("a")["spec"]["job"].items() >= job.items()


@pytest.mark.parametrize(
    ("job", "workload"),
    [
        pytest.param({}, {}, id="no override"),
        pytest.param({"containerOverrides": {"environment": []}}, {}, id="environment"),
        pytest.param(ecs(), {}, id="ecs, no container"),
        pytest.param({"ecsPropertiesOverride": {}}, {}, id="ecs, empty"),
        pytest.param({"ecsPropertiesOverride": {"taskProperties": [{}]}}, {}, id="ecs, bare"),
        pytest.param(ecs({"name": "a"}, {"name": "b", "command": ["x"]}), {}, id="ecs, sidecar"),
        pytest.param(
            ecs({"name": "a", "command": ["x"]}, {"command": ["x"]}),
            {"container": "b"},
            id="ecs, only others",
        ),
        pytest.param({"eksPropertiesOverride": {}}, {}, id="eks, empty"),
        pytest.param({"eksPropertiesOverride": {"podProperties": {}}}, {}, id="eks, bare"),
        pytest.param(eks(), {}, id="eks, no container"),
        pytest.param(eks({"name": "a"}, {"args": ["x"]}), {}, id="eks, sidecar"),
    ],
)
def test_a_workload_takes_the_shapes_that_leave_its_command_free(
    job: dict[str, Any], workload: dict[str, Any], tasks: Tasks
) -> None:
    tasks.create(a_task("a", job={**JOB, **job}, workload={"secretName": "a", **workload}))

    assert tasks.get("a")["spec"]["workload"] == {"secretName": "a", **workload}


@pytest.fixture
def submitted(tasks: Tasks) -> Tasks:
    """The namespace with a task `a`, whose job is `j1`."""
    tasks.create(a_task("a"))
    tasks.patch("a", {"status": {"phase": "Submitted", "jobId": "j1"}}, subresource="status")
    return tasks


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"jobId": "j2"}, id="another"),
        pytest.param({"jobId": ""}, id="empty"),
        pytest.param({"jobId": None}, id="removed"),
        pytest.param(None, id="with all of the status"),
    ],
)
def test_a_jobs_id_is_written_once(status: object, submitted: Tasks) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        submitted.patch("a", {"status": status}, subresource="status")

    assert refused.value.status == INVALID
    assert "status.jobId can't be changed or removed once it is there" in str(refused.value)
    assert submitted.get("a")["status"]["jobId"] == "j1"


@pytest.mark.parametrize("status", [{}, {"phase": "Pending"}, None], ids=["empty", "old", "none"])
def test_a_jobs_id_outlives_an_object_without_it(status: object, submitted: Tasks) -> None:
    body = {key: value for key, value in submitted.get("a").items() if key != "status"}
    body |= {} if status is None else {"status": status}

    with pytest.raises(RequestRefusedError, match=r"status\.jobId can't be changed or removed"):
        submitted.replace("a", body, subresource="status")


def test_a_jobs_id_outlives_writes_past_the_status_subresource(submitted: Tasks) -> None:
    submitted.patch("a", {"status": None, "metadata": {"labels": {"a": "b"}}})
    submitted.patch("a", {"status": {"jobId": "j2"}})

    assert submitted.get("a")["status"]["jobId"] == "j1"


def test_the_rest_of_the_status_changes_beside_a_jobs_id(submitted: Tasks) -> None:
    submitted.patch("a", {"status": {"phase": "Running"}}, subresource="status")
    submitted.patch("a", {"status": {"jobId": "j1", "exitCode": 0}}, subresource="status")

    assert submitted.get("a")["status"] == {
        "phase": "Running",
        "jobId": "j1",
        "exitCode": 0,
        "conditions": [],
    }


def test_a_task_of_the_same_name_starts_anew(submitted: Tasks) -> None:
    submitted.delete("a")

    created = submitted.create(a_task("a"))

    assert created["status"] == {"phase": "Pending", "conditions": []}
