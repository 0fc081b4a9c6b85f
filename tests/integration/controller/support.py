"""The controller as a process, and what a test sees of it from outside."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from batchtask_local.apiserver import ApiServer
from batchtask_local.batch import SIMULATED_IMAGE, LocalBatchConfig, LocalBatchHandle, Queue
from batchtask_local.batch import running as run_local_batch
from integration.api.cluster import Tasks

ROOT = Path(__file__).parents[3]
SYSTEM = "batchtask-system"
ACCOUNT = "batchtask-controller"
SECONDS = 30.0
AWS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret"}
_APPLY = "application/apply-patch+yaml"
_PLACES = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}
T = TypeVar("T")


def until(found: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    """Look again and again for something, and say what was not there in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen := found():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def apply_manifests(server: ApiServer) -> None:
    """Apply manifests/namespace.yaml and rbac.yaml, as an administrator does."""
    for file in ("namespace.yaml", "rbac.yaml"):
        for body in yaml.safe_load_all((ROOT / "manifests" / file).read_text("utf-8")):
            metadata = body["metadata"]
            if metadata.get("namespace") == "airflow":
                server.create_namespace("airflow")
            place = _PLACES[body["kind"]].format(metadata.get("namespace"))
            path = f"{place}/{metadata['name']}?fieldManager=test&force=true"
            server.request("PATCH", path, body, content_type=_APPLY)


@contextmanager
def local_batch(
    directory: Path, *, account: str = "123456789012", region: str = "us-east-1"
) -> Iterator[LocalBatchHandle]:
    """Local Batch with a definition of processes, and one of jobs that only say they run."""

    def definition(name: str, image: str) -> dict[str, Any]:
        needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
        properties = {"image": image, "command": ["true"], "resourceRequirements": needs}
        return {
            "jobDefinitionName": name,
            "type": "container",
            "containerProperties": properties,
        }

    config = LocalBatchConfig(
        directory=directory,
        queues=[Queue("default", 64)],
        job_definitions=[definition("shell", "busybox"), definition("worker", SIMULATED_IMAGE)],
        environment={"PATH": os.environ["PATH"]},
        account=account,
        region=region,
    )
    with run_local_batch(config) as server:
        yield server


@dataclass
class Controller:
    """One process, its log, and its metrics."""

    process: subprocess.Popen[bytes]
    log_file: Path
    port: int

    def text(self) -> str:
        """Everything that it has said."""
        return self.log_file.read_text("utf-8")

    def entries(self) -> list[dict[str, Any]]:
        """Its log; anything that is not JSON shows as a message."""
        return [
            json.loads(line) if line.startswith("{") else {"message": line}
            for line in self.text().splitlines()
        ]

    def says(self, words: str) -> dict[str, Any]:
        """Wait until it says something."""

        def said() -> dict[str, Any] | None:
            return next((each for each in self.entries() if words in each["message"]), None)

        return until(said, f"{words!r} in the log:\n{self.text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def ends(self) -> int:
        """Wait for it to end by itself."""
        return self.process.wait(SECONDS)

    def get(self, path: str) -> str:
        """Ask its probes and metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """A metric's value, 0 where it was never counted."""
        lines = (line.rpartition(" ") for line in self.get("/metrics").splitlines())
        return next((float(value) for key, _, value in lines if key == name), 0.0)


@dataclass
class Ground:
    """Where controllers are started: a directory, an API server's login, and an AWS."""

    directory: Path
    kubeconfig: Path
    batch_url: str
    namespaces: Sequence[str]
    lease: str
    started: list[Controller] = field(default_factory=list)

    def start(self, *options: str, aws: Mapping[str, str] = AWS, **environment: str) -> Controller:
        """Start `python -m batchtask_controller` as its own account."""
        port = free_port()
        log_file = self.directory / f"controller-{len(self.started)}.log"
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "KUBECONFIG": str(self.kubeconfig),
            "AWS_EC2_METADATA_DISABLED": "true",
            **aws,
            **environment,
        }
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "batchtask_controller", *self._options(port), *options],
                env=environ,
                stdout=log,
                stderr=log,
            )
        self.started.append(Controller(process, log_file, port))
        return self.started[-1]

    def _options(self, port: int) -> list[str]:
        settings = {
            "namespaces": ",".join(self.namespaces),
            "lease-name": self.lease,
            "aws-region": "us-east-1",
            "aws-endpoint-url": self.batch_url,
            "poll-interval-seconds": "0.3",
            "health-host": "127.0.0.1",
            "health-port": str(port),
        }
        return [f"--{name}={value}" for name, value in settings.items()]

    def end(self) -> None:
        """Leave no process, and no traceback unseen."""
        for controller in self.started:
            if controller.process.poll() is None:
                controller.process.kill()
                controller.process.wait()
        said = [each.text() for each in self.started]
        assert not any("Traceback" in text for text in said), "\n".join(said)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@contextmanager
def watching(tasks: Tasks) -> Iterator[list[dict[str, Any]]]:
    """Collect each change of a namespace's tasks, as a watcher beside the controller sees it."""
    events: list[dict[str, Any]] = []
    address = urlsplit(tasks.server.url)
    trust = ssl.create_default_context(cafile=str(tasks.server.ca_file))
    link = HTTPSConnection(address.netloc, context=trust, timeout=60)
    start = tasks.server.request("GET", tasks.path())["metadata"]["resourceVersion"]
    headers = {"Authorization": f"Bearer {tasks.server.admin_token}"}
    link.request("GET", f"{tasks.path()}?watch=1&resourceVersion={start}", headers=headers)
    answer = link.getresponse()

    def read() -> None:
        try:
            events.extend(json.loads(line) for line in answer)
        except (OSError, ValueError, AttributeError):
            return  # the connection was closed: the test is over

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield events
    finally:
        if link.sock is not None:
            link.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        answer.close()
        link.close()


class Gate:
    """A port of this machine that leads to an API server once it is opened."""

    def __init__(self, server: ApiServer) -> None:
        address = urlsplit(server.url)
        self._target = (address.hostname, address.port)
        self.port = free_port()
        self._socket: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def open(self) -> None:
        """Listen, and pass on what comes."""
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._run(self._accept, self._socket)

    def close(self) -> None:
        """Listen no more, and cut every connection."""
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        self._threads.clear()
        self._open.clear()

    def kubeconfig(self, of: Path, at: Path) -> Path:
        """The same login, through the gate."""
        config = yaml.safe_load(of.read_text("utf-8"))
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        at.write_text(yaml.safe_dump(config), "utf-8")
        return at

    def _run(self, act: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=act, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                here, _ = listening.accept()
            except OSError:
                return
            self._open.append(here)
            self._run(self._connect, here)

    def _connect(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._target) as there:
            back = threading.Thread(target=_pass_on, args=(there, here))
            back.start()
            _pass_on(here, there)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def phase(tasks: Tasks, name: str) -> str:
    """A task's phase."""
    return str(tasks.get(name).get("status", {}).get("phase", ""))


def condition(tasks: Tasks, name: str, kind: str) -> dict[str, Any]:
    """A task's condition, empty where there is none."""
    conditions = tasks.get(name).get("status", {}).get("conditions", [])
    return next((dict(each) for each in conditions if each["type"] == kind), {})
