"""Airflow in small: api-server, scheduler and dag-processor on SQLite, and its REST API."""

import contextlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXECUTOR = "batchtask:batchtask_executor.BatchTaskExecutor"
COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
_LOCK_SECONDS = 60
_TIMEOUT_SECONDS = _LOCK_SECONDS + 30
_PAGE = 50
_TRIES = 4


class AirflowError(Exception):
    """Airflow did not do what it was asked."""


class _DatabaseError(AirflowError):
    """The api-server's database refused, and nothing was done."""


@dataclass(frozen=True)
class Airflow:
    """One Airflow deployment in a folder of its own."""

    home: Path
    port: int
    dags: Path
    options: Mapping[str, str]
    """Variables that only the scheduler's side has, such as the executor's options."""
    executor: str = EXECUTOR
    shared: Mapping[str, str] = field(default_factory=dict)
    """Variables that the jobs and Airflow's components have besides the usual ones."""
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    @property
    def url(self) -> str:
        """Address of the UI and the REST API."""
        return f"http://127.0.0.1:{self.port}"

    def job_environment(self) -> dict[str, str]:
        """What a job's container must have to run a task: no database, no key."""
        return {
            "AIRFLOW_HOME": str(self.home / "worker"),
            "AIRFLOW__CORE__EXECUTOR": self.executor,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            **self.shared,
        }

    def environment(self) -> dict[str, str]:
        """What Airflow's own components have."""
        kept = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
        return {
            **kept,
            **self.job_environment(),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self.jwt_secret,
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            **self.options,
        }

    @property
    def _database_file(self) -> Path:
        return self.home / "airflow.db"

    @property
    def _database(self) -> str:
        """Its writers wait longer for their turn than SQLite's 5 s, which end a busy scheduler."""
        return f"sqlite:///{self._database_file}?timeout={_LOCK_SECONDS}"

    def command(self, *words: str) -> list[str]:
        """An `airflow` command of this very installation."""
        return [sys.executable, "-m", "airflow", *words]

    def migrate(self) -> None:
        """Make the database.

        Raises:
            AirflowError: it can't be made; with Airflow's last words.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self._run("db", "migrate")
        with contextlib.closing(sqlite3.connect(self._database_file)) as database:
            database.execute("PRAGMA journal_mode = WAL")  # else its readers keep a writer out

    def create_team(self, name: str) -> None:
        """Make a team. The scheduler doesn't start while an executor's team isn't there.

        Raises:
            AirflowError: it can't be made; with Airflow's last words.
        """
        self._run("teams", "create", name)

    def _run(self, *words: str) -> None:
        """Run an `airflow` command to its end; its output is kept."""
        done = subprocess.run(  # noqa: S603 - our own command
            self.command(*words),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        (self.home / f"{'-'.join(words)}.log").write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            raise AirflowError(f"airflow {' '.join(words)} failed: {done.stderr.strip()[-500:]}")

    def is_healthy(self) -> bool:
        """Whether the api-server answers and the scheduler and the dag-processor beat."""
        try:
            health = self._call("GET", "/api/v2/monitor/health", token=None)
        except AirflowError:
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all(health.get(part, {}).get("status") == "healthy" for part in parts)

    def dag_ids(self) -> frozenset[str]:
        """The DAGs that were parsed."""
        return frozenset(dag["dag_id"] for dag in self._listed("/api/v2/dags", "dags", "dag_id"))

    def import_errors(self) -> dict[str, str]:
        """Why a DAG file can't be used, by its name."""
        listed = self._listed("/api/v2/importErrors", "import_errors")
        return {str(one["filename"]): str(one["stack_trace"]) for one in listed}

    def unpause(self) -> None:
        """Let every DAG's runs go on.

        Raises:
            AirflowError: Airflow refused.
        """
        self._call("PATCH", "/api/v2/dags?dag_id_pattern=~", {"is_paused": False})

    def trigger(
        self, dag_id: str, *, run_id: str | None = None, logical_date: str | None = None
    ) -> str:
        """Make a run of the DAG and return its id, which Airflow makes up where none is given.

        It begins once the DAG isn't paused.

        Raises:
            AirflowError: Airflow refused.
        """
        body = {"logical_date": logical_date, "dag_run_id": run_id}
        run = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        return str(run["dag_run_id"])

    def runs(self) -> list[dict[str, Any]]:
        """All runs of all DAGs as the REST API has them, in the order of their beginning."""
        return self._listed("/api/v2/dags/~/dagRuns", "dag_runs")

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The run's state in Airflow's words."""
        return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances as the REST API has them."""
        run = urllib.parse.quote(run_id, safe="")
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances"
        return self._listed(path, "task_instances")

    def _listed(self, path: str, under: str, order: str = "id") -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        while True:
            query = f"?limit={_PAGE}&offset={len(found)}&order_by={order}"
            page = self._call("GET", path + query)[under]
            found += page
            if len(page) < _PAGE:
                return found

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1
    ) -> list[dict[str, Any]]:
        """What the UI shows as the log of a task's try, message by message."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        messages: list[dict[str, Any]] = self._call("GET", path)["content"]
        return messages

    def events(self, dag_id: str, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """What the UI shows as the events of a task, oldest first."""
        query = urllib.parse.urlencode(
            {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "order_by": "id"}
        )
        events: list[dict[str, Any]] = self._call("GET", f"/api/v2/eventLogs?{query}")["event_logs"]
        return events

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        token: str | None = "",
    ) -> Any:
        """Ask the api-server, again where SQLite was locked: then nothing was done.

        It can lock itself out: it logs a user's action in its event loop, where a task's report
        that holds the database can't go on until the action has given up. Who acts while no task
        starts or ends meets it rarely.
        """
        for _ in range(_TRIES - 1):
            with contextlib.suppress(_DatabaseError):
                return self._send(method, path, body, token)
        return self._send(method, path, body, token)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str | None
    ) -> Any:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            login = self._call("GET", "/auth/token", token=None)
            headers["Authorization"] = f"Bearer {login['access_token']}"
        request = urllib.request.Request(  # noqa: S310 - http on loopback
            self.url + path,
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            kind = _DatabaseError if "Database error" in said else AirflowError
            raise kind(f"{method} {path}: {error.code} {said}") from None
        except (OSError, ValueError) as error:
            raise AirflowError(f"{method} {path}: {error}") from None
