"""The image, made once; and what its controller works between."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServer, emulator
from batchtask_local.batch import LocalBatchHandle
from image.build import Image, build, context, debian
from image.dockerfile import read
from integration.api.cluster import Tasks
from integration.controller.support import ROOT, SYSTEM, local_batch

NAMESPACE = "airflow-tasks"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    directory = tmp_path_factory.mktemp("image")
    stages = read(ROOT / "controller" / "Dockerfile")
    yield build(stages, debian(directory), context(ROOT, directory), directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def server() -> Iterator[ApiServer]:
    with emulator([ROOT / "manifests" / "crd.yaml"]) as started:
        for namespace in (SYSTEM, NAMESPACE):
            started.create_namespace(namespace)
        yield started


@pytest.fixture(scope="session")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBatchHandle]:
    with local_batch(tmp_path_factory.mktemp("batch")) as started:
        yield started


@pytest.fixture
def tasks(server: ApiServer) -> Tasks:
    return Tasks(server, NAMESPACE)


@pytest.fixture
def kubeconfig(image: Image, server: ApiServer) -> Path:
    """The login, as a file inside the image."""
    inside = Path("/etc/kubeconfig")
    target = image.root / inside.relative_to("/")
    shutil.copy(server.kubeconfig, target)
    target.chmod(0o444)
    return inside
