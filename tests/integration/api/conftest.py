"""kubectl and a namespace's BatchTasks, on the real kube-apiserver that has our CRD."""

import os
import subprocess
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer, binaries
from integration.api.cluster import Kubectl, Tasks

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tasks(envtest_server: ApiServer, namespace: str) -> Tasks:
    """The BatchTasks of the test's own namespace."""
    return Tasks(envtest_server, namespace)


@pytest.fixture(scope="session")
def kubectl(envtest_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Run kubectl as administrator; give its exit code and what it printed."""
    program = binaries.kubectl()
    home = tmp_path_factory.mktemp("kubectl")
    environ = os.environ | {"HOME": str(home), "KUBECONFIG": str(envtest_server.kubeconfig)}

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            input=stdin,
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
