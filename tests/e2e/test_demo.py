"""The demonstration as a program: it ends when it is told to, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.conftest import Run

pytestmark = pytest.mark.e2e

DEMO = [sys.executable, "-m", "batchtask_local.demo", "--api", "emulator"]


def _mentioning(marker: str) -> list[str]:
    """Every process that has the text in its command line or its environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if marker.encode() in text and int(process.name) != os.getpid():
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_behind(tmp_path: Path, number: int) -> None:
    home = tmp_path / "interrupted"
    demo = subprocess.Popen(
        [*DEMO, "--directory", str(home)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    scheduler = home / "logs" / "scheduler.log"
    deadline = time.monotonic() + 60
    while not (scheduler.exists() and scheduler.stat().st_size):
        assert demo.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)

    demo.send_signal(number)
    output, _ = demo.communicate(timeout=60)

    assert demo.returncode == 130, output
    assert b"Traceback" not in output
    assert _mentioning(str(home)) == []


def test_a_cluster_of_ones_own_must_be_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "batchtask_local.demo", "--api", "kubeconfig"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "--context NAME" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.envtest
def test_a_cluster_that_has_tasks_of_its_own_is_left_alone(run: Run, tmp_path: Path) -> None:
    kubeconfig = str(run.stage.cluster.kubeconfig)
    words = ("--api", "kubeconfig", "--context", "batchtask-local")

    done = subprocess.run(
        [*DEMO[:3], *words, "--directory", str(tmp_path / "demo")],
        env={**os.environ, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "batchtasks.batchtask.dev already" in done.stdout
    path = "/apis/batchtask.dev/v1alpha1/namespaces/airflow-tasks/batchtasks"
    assert run.stage.cluster.server is not None
    assert len(run.stage.cluster.server.request("GET", path)["items"]) >= len(run.tasks)
