"""The controller as a process of its own, seen as an operator of a cluster sees it."""

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from integration.faults.scaled_controller import FACTOR

PRODUCT = ("-m", "batchtask_controller")
SCALED = (str(Path(__file__).with_name("scaled_controller.py")),)


@dataclass(frozen=True)
class Controller:
    """A process that was started."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int
    identity: str

    def said(self, words: str) -> bool:
        """Tell whether a line of its log has these words."""
        return any(words in line for line in self.lines())

    def lines(self) -> list[str]:
        """Return what it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def errors(self) -> list[str]:
        """Return what tells of a bug: tracebacks, and tasks that could not be looked at."""
        return [
            line
            for line in self.lines()
            if line.startswith("Traceback") or "could not be looked at" in line
        ]

    def runs(self) -> bool:
        """Tell whether the process is there."""
        return self.process.poll() is None

    def is_ready(self) -> bool:
        """Ask the readiness probe."""
        return self.get("/readyz")[0] == http.HTTPStatus.OK

    def is_alive(self) -> bool:
        """Ask the liveness probe."""
        return self.get("/livez")[0] == http.HTTPStatus.OK

    def leads(self) -> bool:
        """Tell whether it holds the Lease, by its own metric."""
        return self.metric("batchtask_leader") == 1

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric's value, 0 where it has none with such labels yet."""
        for line in self.get("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            has_name = head == name or head.startswith(name + "{")
            if has_name and all(f'{key}="{text}"' in head for key, text in labels.items()):
                return float(value)
        return 0.0

    def get(self, path: str) -> tuple[int, str]:
        """Ask the health port; status 0 where nobody listens."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            link.request("GET", path)
            reply = link.getresponse()
            return reply.status, reply.read().decode()
        except OSError:
            return 0, ""
        finally:
            link.close()

    def kill(self) -> None:
        """End it as a crash of its node does."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """End it in order and return its exit code."""
        if self.runs():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


def start(
    directory: Path, identity: str, settings: Mapping[str, object], factor: float | None
) -> Controller:
    """Start a controller; with a factor its long durations are that much shorter."""
    port = _free_port()
    log = directory / f"{identity}.log"
    environ = {
        "AWS_ACCESS_KEY_ID": identity,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "BATCHTASK_HEALTH_HOST": "127.0.0.1",
        "BATCHTASK_HEALTH_PORT": str(port),
        "BATCHTASK_IDENTITY": identity,
        "BATCHTASK_LOG_FORMAT": "text",
        "BATCHTASK_POLL_INTERVAL_SECONDS": "0.3",
        "HOME": str(directory),
        "PATH": "/usr/bin:/bin",
        **{name: str(value) for name, value in settings.items()},
    }
    if factor is not None:
        environ |= {FACTOR: str(factor)}
    program = PRODUCT if factor is None else SCALED
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *program], env=environ, stdout=output, stderr=output
        )
    return Controller(process, log, port, identity)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
