"""One run of the controller's whole way, and what IAM is asked on it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from batchtask_api import names
from batchtask_local.apiserver import ApiServer
from batchtask_local.batch import (
    SIMULATED_IMAGE,
    Entry,
    Faults,
    LocalBatchConfig,
    LocalBatchHandle,
    Queue,
    ReplyFault,
    running,
)
from integration.api.cluster import Tasks, a_task
from integration.controller.support import (
    ACCOUNT,
    SYSTEM,
    Ground,
    apply_manifests,
    condition,
    phase,
    until,
)
from integration.iam.documents import ROLE

_DEFINITION = {
    "jobDefinitionName": "worker",
    "type": "container",
    "containerProperties": {
        "image": SIMULATED_IMAGE,
        "resourceRequirements": [
            {"type": "VCPU", "value": "1"},
            {"type": "MEMORY", "value": "64"},
        ],
    },
}


@pytest.fixture(scope="session")
def cluster_uid(envtest_server: ApiServer) -> str:
    found = envtest_server.request("GET", "/api/v1/namespaces/kube-system")
    return str(found["metadata"]["uid"])


@pytest.fixture(scope="session")
def journal(
    envtest_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Entry]]:
    """Every call of a controller that meets all that it has a call for."""
    server, home = envtest_server, tmp_path_factory.mktemp("iam")
    apply_manifests(server)
    with ExitStack() as stack:
        here = stack.enter_context(running(_config(home / "here")))
        there = stack.enter_context(running(_config(home / "there", account=ROLE.split(":")[4])))
        tasks, others = (Tasks(server, name) for name in ("iam-here", "iam-there"))
        for each in (tasks, others):
            server.create_namespace(each.namespace)
        login = server.kubeconfig_for_service_account(SYSTEM, ACCOUNT)
        namespaces = [tasks.namespace, others.namespace]
        ground = Ground(home, login, here.url, namespaces, "iam")
        stack.callback(ground.end)
        account = {"roleArn": ROLE, "endpointUrl": there.url}
        ground.start(
            "--blocked-after-seconds=1",
            "--orphan-sweep-seconds=1",
            BATCHTASK_ACCOUNTS=json.dumps({others.namespace: account}),
        )
        _live(tasks, here)
        _go_elsewhere(others)
        yield [*here.journal(), *there.journal("AssumeRole")]


def _config(directory: Path, account: str = "123456789012") -> LocalBatchConfig:
    return LocalBatchConfig(
        directory=directory,
        queues=[Queue("one", 2)],
        job_definitions=[_DEFINITION],
        account=account,
    )


def _job(*words: str, definition: str = "worker", **spec: Any) -> dict[str, Any]:
    job = {
        "jobQueue": "one",
        "jobDefinition": definition,
        "containerOverrides": {"command": [*words]},
    }
    return {"job": job, **spec}


def _live(tasks: Tasks, batch: LocalBatchHandle) -> None:
    """Success, failure with its log, a wait, a cancel, a retained job and a lost reply."""
    tasks.create(a_task("succeeds", **_job("exit", "0", definition="worker:1")))
    tasks.create(a_task("fails", **_job("print", "it broke", "exit", "3")))
    until(lambda: phase(tasks, "succeeds") == "Succeeded", "success")
    until(lambda: tasks.get("fails")["status"].get("logTail"), "a log's last lines")

    forever = _job("sleep", "100000")
    tasks.create(a_task("cancelled", **forever))
    retained = a_task("retained", **forever, deletionPolicy="Retain")
    retained["metadata"]["finalizers"] = [names.FINALIZER]
    tasks.create(retained)
    for name in ("cancelled", "retained"):
        until(lambda name=name: phase(tasks, name) == "Running", f"{name} runs")  # type: ignore[misc]
    tasks.create(a_task("waits", **_job("exit", "0")))
    until(
        lambda: "position 1" in condition(tasks, "waits", "Blocked").get("message", ""),
        "the place of the one that waits",
    )
    tasks.delete("retained")
    tasks.patch("cancelled", {"spec": {"cancel": True}})
    until(lambda: phase(tasks, "cancelled") == "Cancelled", "the cancelled one's end")
    until(lambda: batch.journal("TagResource"), "the retained job's tag")
    until(lambda: phase(tasks, "waits") == "Succeeded", "the end of the one that waited")

    batch.set_faults(Faults(replies=(ReplyFault(outcome="drop", times=1),)))
    tasks.create(a_task("found", **_job("exit", "0")))
    until(lambda: phase(tasks, "found") == "Succeeded", "the end of the job that was found")


def _go_elsewhere(tasks: Tasks) -> None:
    tasks.create(a_task("there", **_job("exit", "0")))
    until(lambda: phase(tasks, "there") == "Succeeded", "success in the other account")
