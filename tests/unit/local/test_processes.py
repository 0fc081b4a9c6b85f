"""Server processes end with their parent, and their last words are kept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from batchtask_local.processes import ProcessEndedError, ProcessGroup

GONE_SECONDS = 10

PARENT = """
import sys, time
from pathlib import Path
from batchtask_local.processes import ProcessEndedError, ProcessGroup
home = Path(sys.argv[1])
with ProcessGroup(home / "logs", removed_with_parent=home) as processes:
    processes.start("sleeper", ["sh", "-c", "echo $$; exec sleep 300"])
    while not (told := processes.log("sleeper").read_text().strip()):
        time.sleep(0.01)
    print(told, flush=True)
    sys.stdin.read()
"""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_parents_death_is_its_servers_death(tmp_path: Path, number: signal.Signals) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-c", PARENT, str(home)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout
        server = int(parent.stdout.readline())
        assert is_alive(server)

        os.kill(parent.pid, number)

    until(lambda: not is_alive(server))
    until(lambda: not home.exists() or number == signal.SIGINT)


def test_servers_end_with_the_context(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path) as processes:
        processes.start("sleeper", ["sh", "-c", "trap '' TERM; echo $$; exec sleep 300"])
        until(lambda: processes.log("sleeper").read_text())
        server = int(processes.log("sleeper").read_text())
        processes.check()

    assert not is_alive(server)
    assert tmp_path.exists()


def test_an_ended_server_is_quoted(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path) as processes:
        processes.start("talker", ["sh", "-c", "seq 100; echo the end >&2; exit 7"])

        def ended() -> bool:
            try:
                processes.check()
            except ProcessEndedError:
                return True
            return False

        until(ended)
        with pytest.raises(ProcessEndedError, match="talker ended with code 7") as failed:
            processes.check()

    lines = str(failed.value).splitlines()
    assert lines[-1] == "the end"
    assert lines[-2] == "100"
    assert "1" not in lines


def test_a_killed_server_may_be_started_again_and_its_log_goes_on(tmp_path: Path) -> None:
    command = ["sh", "-c", "trap '' TERM; echo $$; exec sleep 300"]
    with ProcessGroup(tmp_path) as processes:
        processes.start("sleeper", command)
        until(lambda: processes.log("sleeper").read_text())
        first = int(processes.log("sleeper").read_text())

        processes.kill("sleeper")
        processes.check()
        processes.start("sleeper", command)
        until(lambda: len(processes.log("sleeper").read_text().split()) == 2)

        assert not is_alive(first)
        assert is_alive(int(processes.log("sleeper").read_text().split()[1]))
        processes.check()
