"""A PostgreSQL server of one's own, on loopback, by the binaries that a Linux distribution has."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from fakes.awaiting import until

_NOT_ROOT = "nobody"


def binaries() -> Path:
    """The folder of the newest server that is installed; POSTGRES_BIN names another."""
    if named := os.environ.get("POSTGRES_BIN"):
        return Path(named)
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL's server isn't installed: install the package postgresql"
    return Path(on_path).resolve().parent


class Postgres:
    """A server that is up; each database in it is a copy of one that was prepared."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._count = 0

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql+psycopg2://airflow@127.0.0.1:{self._port}/{database}"

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database and return its URL."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def is_up(self) -> bool:
        """Whether it answers: it takes connections before it does."""
        try:
            self._execute("SELECT 1")
        except OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


@contextmanager
def serve() -> Iterator[Postgres]:
    """Start a server and stop it at the end. It refuses to run as root."""
    where = Path(tempfile.mkdtemp(prefix="batchtask-postgres-"))
    as_other: dict[str, Any] = {}
    if os.geteuid() == 0:
        other = pwd.getpwnam(_NOT_ROOT)
        os.chown(where, other.pw_uid, other.pw_gid)
        as_other = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
    data = where / "data"
    options = ["--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    subprocess.run(
        [binaries() / "initdb", f"--pgdata={data}", *options],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=where,
        **as_other,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (where / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                binaries() / "postgres",
                "-D",
                data,
                "-k",
                where,
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-F",
            ],
            stderr=log,
            cwd=where,
            **as_other,
        )
    try:
        postgres = Postgres(port)
        until(postgres.is_up, seconds=60)
        yield postgres
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(where)
