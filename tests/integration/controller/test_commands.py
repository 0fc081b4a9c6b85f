"""`batchtask` as a person runs it: beside a controller, with the controller's own rights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchtask_local.apiserver import binaries
from integration.api.cluster import Tasks, a_task
from integration.controller.support import AWS, Ground, phase, until

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

JOB = {"jobQueue": "default", "jobDefinition": "worker"}
BIN = Path(sys.executable).parent


def run(ground: Ground, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(ground.directory),
        "KUBECONFIG": str(ground.kubeconfig),
        "BATCHTASK_NAMESPACES": ",".join(ground.namespaces),
        "BATCHTASK_AWS_REGION": "us-east-1",
        "BATCHTASK_AWS_ENDPOINT_URL": ground.batch_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        **AWS,
    }
    return subprocess.run(
        words, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_orphans_are_looked_for_with_the_controllers_rights(ground: Ground, tasks: Tasks) -> None:
    ground.start()
    tasks.create(a_task("runs", job=JOB))
    until(lambda: phase(tasks, "runs") == "Succeeded", "success")

    found = run(ground, "batchtask", "orphans")

    assert (found.returncode, found.stdout) == (0, "no orphans\n"), found.stderr


def test_a_queue_that_could_not_be_asked_fails_the_command_and_is_named(ground: Ground) -> None:
    found = run(ground, "batchtask", "orphans", "--queue", "nowhere")

    assert found.returncode == 1
    assert "job queue nowhere could not be swept" in found.stderr
    assert "not all was looked at: nowhere could not be asked" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_wrong_option_is_said_with_what_it_is_for(ground: Ground) -> None:
    found = run(ground, "env", "BATCHTASK_POLICY={", "batchtask", "orphans")

    assert found.returncode == 1
    assert "BATCHTASK_POLICY: this is no JSON" in found.stderr
    assert "(JSON: by namespace, which jobQueues" in found.stderr


def test_kubectl_has_it_as_a_plugin(ground: Ground) -> None:
    helped = run(ground, binaries.kubectl(), "batchtask", "--help")

    assert helped.returncode == 0, helped.stderr
    assert "{check,orphans,release}" in helped.stdout


def test_a_command_that_there_is_not_is_refused(ground: Ground) -> None:
    refused = run(ground, "batchtask", "frob")

    assert refused.returncode == 2
    assert "choose from" in refused.stderr
