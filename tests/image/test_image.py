"""What the controller's Dockerfile makes, and that the controller runs in it."""

import json
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_local.batch import LocalBatchHandle
from image.build import Image
from image.dockerfile import read
from integration.api.cluster import Tasks, a_task
from integration.controller.support import AWS, ROOT, free_port, phase, until

ABSENT = ("airflow", "kubernetes", "batchtask_executor", "batchtask_local", "pip", "pytest")
UID = 65532
MIB = 1024 * 1024


def said(image: Image, *words: str) -> str:
    """Run a command in the image instead of the controller; give what it printed."""
    with image.start(entrypoint=words) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def memory_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Lines that are shown with the test's result."""
    lines: list[str] = []
    yield lines
    with capsys.disabled():
        sys.stdout.write("".join(f"\n  {line}" for line in lines))


def test_the_base_has_a_digest_that_the_builder_must_choose() -> None:
    text = (ROOT / "controller" / "Dockerfile").read_text("utf-8")

    assert {stage.base for stage in read(ROOT / "controller" / "Dockerfile")} == {
        "${PYTHON}@${PYTHON_DIGEST}"
    }
    assert "ARG PYTHON_DIGEST\n" in text


def test_it_has_the_locked_packages_and_no_others(image: Image, report: list[str]) -> None:
    lock = (ROOT / "requirements" / "controller.txt").read_text("utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))
    listing = (
        "import importlib.metadata as m, json;"
        "print(json.dumps([[d.name.lower().replace('_', '-'), d.version]"
        " for d in m.distributions(path=[p for p in __import__('sys').path if '/venv/' in p])]))"
    )

    found = {(name, version) for name, version in json.loads(said(image, "python", "-c", listing))}

    assert found == locked
    own, packages = image.bytes_of("opt/app") / MIB, image.bytes_of("opt/venv") / MIB
    report.append(f"over the base: {packages:.1f} MiB of packages, {own:.1f} MiB of our own")


def test_nothing_of_airflow_or_the_kubernetes_client_can_be_imported(image: Image) -> None:
    looked_for = ("batchtask_controller", "batchtask_api", "kopf", "boto3", *ABSENT)
    script = f"import importlib.util as u; print([n for n in {looked_for} if u.find_spec(n)])"

    found = said(image, "python", "-c", script)

    assert found.strip() == str(list(looked_for[:4]))


def test_it_runs_as_nobody_in_particular_and_can_write_nowhere(image: Image) -> None:
    script = (
        "import os, sys; w = [d for d, _, _ in os.walk('/', onerror=None)"
        " if not d.startswith(('/proc', '/sys')) and os.access(d, os.W_OK)];"
        "print(os.getuid(), os.getgid(), os.getgroups(), w)"
    )

    assert said(image, "python", "-c", script).strip() == f"{UID} {UID} [] []"


def test_the_controller_runs_a_task_from_it_and_stops_cleanly(
    image: Image, kubeconfig: Path, batch: LocalBatchHandle, tasks: Tasks, report: list[str]
) -> None:
    port = free_port()
    environment = {
        **AWS,
        "AWS_EC2_METADATA_DISABLED": "true",
        "KUBECONFIG": str(kubeconfig),
        "BATCHTASK_AWS_REGION": "us-east-1",
        "BATCHTASK_AWS_ENDPOINT_URL": batch.url,
        "BATCHTASK_POLL_INTERVAL_SECONDS": "0.3",
        "BATCHTASK_HEALTH_PORT": str(port),
    }
    started = time.monotonic()
    process = image.start(environment=environment)
    try:
        until(lambda: is_ready(port) or process.poll() is not None, "readiness")
        ready = time.monotonic() - started
        job = {"jobQueue": "default", "jobDefinition": "shell"}
        tasks.create(a_task("from-the-image", job=job))
        until(lambda: phase(tasks, "from-the-image") == "Succeeded", "success")
        uids = Path(f"/proc/{process.pid}/status").read_text()
        memory = memory_mib(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        sys.stdout.write(output)  # shown where the test fails
    report.append(f"ready {ready:.1f} s after its start, {memory} MiB resident after a task")

    assert process.returncode == 0, output
    assert re.search(rf"Uid:\s+{UID}\s+{UID}\s+{UID}\s+{UID}", uids)
    assert "Traceback" not in output


def test_help_needs_nothing(image: Image) -> None:
    with image.start("--help") as process:
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    assert "--aws-endpoint-url" in output
