"""The status: its own subresource, its defaults, and what is looked up by it."""

import itertools
import json
import time
from collections.abc import Iterator

import pytest

from integration.api.cluster import JOB, Kubectl, Tasks, a_task

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

AT = "2026-01-01T00:00:00Z"


def conditions(**reasons: str) -> list[dict[str, str]]:
    """One true condition for each type."""
    return [
        {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": AT}
        for kind, reason in reasons.items()
    ]


def test_a_phase_is_there_from_the_creation_on(tasks: Tasks) -> None:
    created = tasks.create(a_task("a"))

    assert created["status"] == {"phase": "Pending", "conditions": []}
    assert tasks.get("a")["status"] == created["status"]


def test_a_status_given_at_creation_is_not_taken(tasks: Tasks) -> None:
    body = a_task("a") | {"status": {"phase": "Succeeded", "jobId": "j"}}

    assert tasks.create(body)["status"] == {"phase": "Pending", "conditions": []}


def test_the_spec_is_written_beside_the_status_and_the_status_beside_the_spec(
    tasks: Tasks,
) -> None:
    tasks.create(a_task("a"))

    tasks.patch("a", {"spec": {"priority": 7}, "status": {"phase": "Lost"}})
    tasks.patch(
        "a", {"spec": {"priority": 9}, "status": {"phase": "Running"}}, subresource="status"
    )

    found = tasks.get("a")
    assert found["spec"]["priority"] == 7
    assert found["status"]["phase"] == "Running"
    assert found["metadata"]["generation"] == 2  # the status counts no generation


def test_conditions_of_one_type_do_not_stand_side_by_side(tasks: Tasks, kubectl: Kubectl) -> None:
    tasks.create(a_task("a"))
    status = {"status": {"conditions": conditions(Submitted="A") + conditions(Submitted="B")}}

    refused = kubectl(
        *("patch", "bt", "a", "-n", tasks.namespace, "--subresource=status"),
        *("--type=merge", "-p", json.dumps(status)),
    )

    assert refused.returncode == 1
    assert "status.conditions[1]: Duplicate value" in refused.stderr


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("status.phase%3DPending", ["new"]),
        ("status.phase%3DRunning", ["running"]),
        ("status.phase%21%3DRunning", ["new"]),
        ("spec.airflow.dagId%3Detl", ["running"]),
        ("spec.job.jobQueue%3Dfast", ["running"]),
        ("spec.job.jobQueue%3Ddefault", ["new"]),
    ],
)
def test_tasks_are_found_by_field(selector: str, expected: list[str], tasks: Tasks) -> None:
    airflow = {"dagId": "etl", "taskId": "t", "runId": "r", "tryNumber": 1}
    tasks.create(a_task("new"))
    tasks.create(a_task("running", airflow=airflow, job={**JOB, "jobQueue": "fast"}))
    tasks.patch("running", {"status": {"phase": "Running"}}, subresource="status")

    assert tasks.names(selector) == expected


@pytest.fixture
def shown(tasks: Tasks) -> Tasks:
    """A command that is new and an Airflow task that failed."""
    airflow = {
        "dagId": "etl",
        "taskId": "load",
        "runId": "manual__2026-01-01T00:00:00+00:00",
        "tryNumber": 2,
    }
    tasks.create(a_task("failed", airflow=airflow))
    tasks.create(a_task("new"))
    status = {
        "phase": "Failed",
        "jobId": "9d1c",
        "exitCode": 137,
        "logStreamName": "worker/default/1",
        "conditions": conditions(Submitted="JobSubmitted", Succeeded="JobFailed"),
    }
    tasks.patch("failed", {"status": status}, subresource="status")
    return tasks


def cells(table: str) -> Iterator[dict[str, str]]:
    """Read kubectl's table, whose columns start below their titles."""
    head, *rows = table.splitlines()
    titles = head.replace("JOB ID", "JOB_ID").replace("EXIT CODE", "EXIT_CODE")
    titles = titles.replace("LOG STREAM", "LOG_STREAM")
    starts = [titles.index(f" {title}") + 1 for title in titles.split()[1:]]
    for row in rows:
        edges = [0, *starts, max(len(row), starts[-1])]
        texts = [row[a:b].strip() for a, b in itertools.pairwise(edges)]
        yield dict(zip(titles.split(), texts, strict=True))


def test_kubectl_get_shows_what_a_person_looks_for(shown: Tasks, kubectl: Kubectl) -> None:
    table = kubectl("get", "bt", "-n", shown.namespace).stdout

    failed, new = cells(table)
    assert failed.pop("AGE")
    assert failed == {
        "NAME": "failed",
        "DAG": "etl",
        "TASK": "load",
        "RUN": "manual__2026-01-01T00:00:00+00:00",
        "TRY": "2",
        "PHASE": "Failed",
        "JOB_ID": "9d1c",
        "REASON": "JobFailed",
    }
    assert {title: text for title, text in new.items() if text and title != "AGE"} == {
        "NAME": "new",
        "PHASE": "Pending",
    }


def test_kubectl_get_wide_shows_where_it_ran_and_how_it_ended(
    shown: Tasks, kubectl: Kubectl
) -> None:
    table = kubectl("get", "batchtasks", "failed", "-n", shown.namespace, "-o", "wide").stdout

    (failed,) = cells(table)
    assert list(failed)[-4:] == ["AGE", "QUEUE", "EXIT_CODE", "LOG_STREAM"]
    assert failed["QUEUE"] == "default"
    assert failed["EXIT_CODE"] == "137"
    assert failed["LOG_STREAM"] == "worker/default/1"


@pytest.mark.parametrize("name", ["bt", "batchtask", "batchtasks.batchtask.dev", "airflow"])
def test_a_task_is_listed_by_each_of_its_names(name: str, shown: Tasks, kubectl: Kubectl) -> None:
    listed = kubectl("get", name, "-n", shown.namespace, "-o", "name").stdout

    assert listed.split() == ["batchtask.batchtask.dev/failed", "batchtask.batchtask.dev/new"]


def test_kubectl_wait_ends_when_the_task_has_succeeded(tasks: Tasks, kubectl: Kubectl) -> None:
    tasks.create(a_task("a"))
    wait = ("wait", "bt/a", "-n", tasks.namespace, "--for=condition=Succeeded")

    early = kubectl(*wait, "--timeout=0s")
    tasks.patch(
        "a", {"status": {"conditions": conditions(Succeeded="JobSucceeded")}}, subresource="status"
    )
    late = kubectl(*wait, "--timeout=10s")

    assert early.returncode == 1
    assert (late.returncode, late.stdout) == (0, "batchtask.batchtask.dev/a condition met\n")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("bt.spec.job.containerOverrides", "command\t<[]string>"),
        ("bt.spec.job.retryStrategy.evaluateOnExit.action", "Values: RETRY, EXIT."),
        ("bt.spec.cancel", "Set to true to end the job"),
        ("bt.status.conditions", "lastTransitionTime\t<string> -required-"),
    ],
)
def test_kubectl_explains_every_field(path: str, words: str, kubectl: Kubectl) -> None:
    deadline = time.monotonic() + 30  # the API server publishes a new CRD's schema a little later
    while words not in (explained := kubectl("explain", path)).stdout:
        assert time.monotonic() < deadline, explained.stdout + explained.stderr
        time.sleep(0.2)
