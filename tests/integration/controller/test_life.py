"""A controller's own life: what it needs, what it says without it, how it ends, who follows."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer, emulator
from batchtask_local.batch import Faults, LocalBatchHandle
from integration.api.cluster import Tasks, a_task
from integration.controller.conftest import SHARED
from integration.controller.support import (
    ROOT,
    SYSTEM,
    Gate,
    Ground,
    condition,
    phase,
    until,
)

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

JOB = {"jobQueue": "default", "jobDefinition": "worker"}


def lease(server: ApiServer, name: str) -> dict[str, object]:
    """What the Lease says."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{name}"
    return dict(server.request("GET", path)["spec"])


def test_without_aws_credentials_tasks_wait_and_go_on_once_there_are_some(
    ground: Ground, tasks: Tasks, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    controller = ground.start(aws={}, AWS_SHARED_CREDENTIALS_FILE=str(file))
    tasks.create(a_task("waits", job=JOB))

    blocked = until(
        lambda: found if (found := condition(tasks, "waits", "Blocked")) else None, "Blocked"
    )
    assert (blocked["status"], blocked["reason"]) == ("True", "CredentialsRefused")
    assert "Unable to locate credentials" in blocked["message"]
    said = controller.says("submission was not taken")
    assert said["task"] == f"{tasks.namespace}/waits"
    file.write_text("[default]\naws_access_key_id = AKIALATE\naws_secret_access_key = secret\n")

    until(lambda: phase(tasks, "waits") == "Succeeded", "success with the new credentials")
    assert condition(tasks, "waits", "Blocked")["status"] == "False"


def test_an_api_server_that_is_not_there_is_waited_for(
    ground: Ground, granted: ApiServer, kubeconfig: Path, tasks: Tasks, tmp_path: Path
) -> None:
    gate = Gate(granted)
    ground.kubeconfig = gate.kubeconfig(kubeconfig, tmp_path / "kubeconfig")
    tasks.create(a_task("waits", job=JOB))
    controller = ground.start()
    said = controller.says("does not answer")
    assert f"https://127.0.0.1:{gate.port}" in said["message"]

    gate.open()
    try:
        until(lambda: phase(tasks, "waits") == "Succeeded", "success")
    finally:
        gate.close()
    tasks.create(a_task("waits-too", job=JOB))
    controller.says("leadership was lost")
    gate.open()
    try:
        until(lambda: phase(tasks, "waits-too") == "Succeeded", "success after the outage")
        assert controller.stop() == 0
    finally:
        controller.process.kill()
        gate.close()


def test_a_missing_crd_is_named_and_waited_for(
    ground: Ground, tasks: Tasks, tmp_path: Path
) -> None:
    with emulator(()) as empty:
        ground.kubeconfig = empty.kubeconfig
        empty.create_namespace(SYSTEM)
        controller = ground.start()
        said = controller.says("install the CRD")
        assert "batchtasks.batchtask.dev" in said["message"]
        assert "manifests/crd.yaml" in said["message"]

        empty.apply_crds([ROOT / "manifests" / "crd.yaml"])
        controller.says("serving namespaces")
        assert controller.stop() == 0


def test_missing_rights_are_said_with_the_way_out(
    ground: Ground, granted: ApiServer, tasks: Tasks
) -> None:
    accounts = f"/api/v1/namespaces/{tasks.namespace}/serviceaccounts"
    granted.request("POST", accounts, {"metadata": {"name": "nobody"}})
    ground.kubeconfig = granted.kubeconfig_for_service_account(tasks.namespace, "nobody")

    controller = ground.start()

    said = controller.says("manifests/rbac.yaml")
    assert "403" in said["message"]
    assert controller.stop() == 0


def test_a_user_id_without_a_name_can_run_it(ground: Ground, tasks: Tasks, tmp_path: Path) -> None:
    nameless = "import pwd\n\ndef none(uid):\n    raise KeyError(uid)\n\npwd.getpwuid = none\n"
    (tmp_path / "sitecustomize.py").write_text(nameless)  # as in a container: no such passwd entry
    ground.start(PYTHONPATH=str(tmp_path))

    tasks.create(a_task("runs", job=JOB))

    until(lambda: phase(tasks, "runs") == "Succeeded", "success")


def test_a_second_controller_stands_by_and_takes_over_all_work(
    ground: Ground, granted: ApiServer, batch: LocalBatchHandle, tasks: Tasks
) -> None:
    first = ground.start("--identity=first")
    first.says("this process leads now")
    second = ground.start("--identity=second")
    said = second.says("standing by")
    assert str(said["leader"]).startswith("first")
    assert (first.metric("batchtask_leader"), second.metric("batchtask_leader")) == (1, 0)
    assert until(lambda: second.get("/readyz"), "readiness") == "ok\n"
    runs = {**JOB, "containerOverrides": {"command": ["sleep", "3"]}}
    uid = str(tasks.create(a_task("goes-on", job=runs))["metadata"]["uid"])
    until(lambda: phase(tasks, "goes-on") == "Running", "the job runs")

    first.stop(signal.SIGKILL)
    killed = time.monotonic()
    tasks.create(a_task("follows", job=JOB))

    until(lambda: phase(tasks, "follows") == "Succeeded", "success under the second")
    assert time.monotonic() - killed < 20
    until(lambda: phase(tasks, "goes-on") == "Succeeded", "success of the first one's task")
    assert tasks.get("follows")["status"]["submission"]["by"].startswith("second")
    assert lease(granted, ground.lease)["leaseTransitions"] == 1
    assert sum(uid in (entry.job_name or "") for entry in batch.journal("SubmitJob")) == 1


def test_sigterm_finishes_the_submission_under_way_and_the_next_leads_at_once(
    ground: Ground, granted: ApiServer, batch: LocalBatchHandle, tasks: Tasks
) -> None:
    controller = ground.start()
    controller.says("this process leads now")
    batch.set_faults(Faults(latency=1.5))
    tasks.create(a_task("drained", job=JOB))
    until(lambda: phase(tasks, "drained") == "Submitting", "the intent")
    asked = time.monotonic()

    code = controller.stop()

    assert code == 0
    assert time.monotonic() - asked < 6
    assert tasks.get("drained")["status"]["jobId"]
    assert lease(granted, ground.lease)["holderIdentity"] == ""
    entries = [json.loads(line) for line in controller.text().splitlines()]
    assert all({"level", "logger", "message", "time"} <= entry.keys() for entry in entries)
    assert entries[-1]["message"] == "stopped"
    batch.set_faults(Faults())
    ground.start().says("this process leads now")
    until(lambda: phase(tasks, "drained") == "Succeeded", "success under the next")


def test_a_stop_asked_for_while_the_api_server_is_away_is_heeded(
    ground: Ground, granted: ApiServer, kubeconfig: Path, tasks: Tasks, tmp_path: Path
) -> None:
    ground.kubeconfig = Gate(granted).kubeconfig(kubeconfig, tmp_path / "kubeconfig")
    controller = ground.start()
    controller.says("does not answer")

    assert controller.stop(signal.SIGINT) == 0


# -- what ends it before it has begun -------------------------------------------------------------


def test_help_tells_every_option() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "batchtask_controller", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    for option in ("--namespaces", "--aws-region", "--calls-per-second", "--lease-namespace"):
        assert option in shown.stdout


def test_a_history_that_is_forgotten_hides_no_task(
    ground: Ground, batch: LocalBatchHandle, tmp_path: Path
) -> None:
    with emulator([ROOT / "manifests" / "crd.yaml"], log_limit=10) as server:
        for namespace in (SYSTEM, SHARED):
            server.create_namespace(namespace)
        tasks = Tasks(server, SHARED)
        ground.namespaces = [SHARED]
        gate = Gate(server)
        ground.kubeconfig = gate.kubeconfig(server.kubeconfig, tmp_path / "kubeconfig")
        gate.open()
        controller = ground.start()
        controller.says("took over")
        tasks.create(a_task("before", job=JOB))
        until(lambda: phase(tasks, "before") == "Succeeded", "success before")

        gate.close()
        tasks.create(a_task("during", job=JOB))
        for number in range(40):  # more than the server remembers
            tasks.patch("before", {"metadata": {"labels": {"written": str(number)}}})
        gate.open()

        until(lambda: phase(tasks, "during") == "Succeeded", "success of what came meanwhile")
        assert controller.stop() == 0
        gate.close()
