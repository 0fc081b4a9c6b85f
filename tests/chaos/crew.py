"""The controllers and the executor as processes: started, killed and frozen by the suite."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Literal

from chaos.executor import VARIABLE as WORKLOADS
from chaos.executor import Workloads
from chaos.orders import VARIABLE, Orders, Shown

TESTS = Path(__file__).parents[1]


class State(Enum):
    """What a process does."""

    RUNS = "runs"
    FROZEN = "frozen"
    DEAD = "dead"


class Member:
    """A program of the crew, in one process after the other."""

    program = ""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.starts = 0
        self._directory = directory
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def identity(self) -> str:
        """The process that runs now; the Lease adds the product's own suffix."""
        return f"{self.name}.{self.starts}"

    def start(self, orders: Orders) -> None:
        """Start a process, once the one before is dead."""
        self.close()
        self.starts += 1
        environment = {**self._environment, **self._told(orders)}
        with self._log(self.starts).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.program],
                cwd=TESTS,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _told(self, orders: Orders) -> Mapping[str, str]:
        """What else this process is told."""
        return {
            "BATCHTASK_IDENTITY": self.identity,
            "AWS_ACCESS_KEY_ID": f"CHAOS{self.name.upper()}{self.starts}",
            VARIABLE: orders.model_dump_json(),
        }

    def state(self) -> State:
        """What the process does, as the kernel has it."""
        if self._process is None or self._process.poll() is not None:
            return State.DEAD
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        return State.FROZEN if stat.rpartition(")")[2].split()[0] == "T" else State.RUNS

    def send(self, name: Literal["KILL", "STOP", "CONT"]) -> None:
        """Signal the process, if it is there."""
        if self._process is not None:
            self._process.send_signal(getattr(signal, f"SIG{name}"))

    def close(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)
            if self._process.stdin:
                self._process.stdin.close()

    def said(self, words: str) -> bool:
        """Whether the process that runs now has logged the words."""
        return words in self._log(self.starts).read_text("utf-8", errors="replace")

    def falls(self) -> int:
        """How many of its processes fell at their points."""
        logs = (self._log(number) for number in range(1, self.starts + 1))
        return sum(log.read_text("utf-8", errors="replace").count(Shown.FIRED) for log in logs)

    def last_words(self, lines: int = 15) -> str:
        """The end of the last process's log."""
        text = self._log(self.starts).read_text("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _log(self, number: int) -> Path:
        return self._directory / f"{self.name}-{number}.log"


class Controller(Member):
    """One of the two controllers."""

    program = "chaos.controller"


class Executor(Member):
    """The one executor; it has no points to fall at."""

    program = "chaos.executor"

    def __init__(self, directory: Path, workloads: Workloads) -> None:
        super().__init__("executor", directory, _paths())
        self.workloads = workloads

    def _told(self, orders: Orders) -> Mapping[str, str]:
        del orders
        return {WORKLOADS: self.workloads.model_dump_json()}


def _paths() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    python = os.pathsep.join([str(TESTS), *os.environ.get("PYTHONPATH", "").split(":")])
    return {**kept, "PYTHONPATH": python}


def environment(
    *, kubeconfig: Path, endpoint_url: str, region: str, namespace: str, lease: str
) -> dict[str, str]:
    """The variables of a controller: its settings, and nothing of this process's but its paths."""
    return {
        **_paths(),
        "KUBECONFIG": str(kubeconfig),
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BATCHTASK_AWS_REGION": region,
        "BATCHTASK_AWS_ENDPOINT_URL": endpoint_url,
        "BATCHTASK_NAMESPACES": namespace,
        "BATCHTASK_LEASE_NAMESPACE": namespace,
        "BATCHTASK_LEASE_NAME": lease,
        "BATCHTASK_CALLS_PER_SECOND": "300",
        "BATCHTASK_POLL_INTERVAL_SECONDS": "0.3",
        "BATCHTASK_LOG_FORMAT": "text",
    }
