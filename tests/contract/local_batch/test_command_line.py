"""The command line: what it says, starts and refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from batchtask_local.batch import Faults, LocalBatchHandle, ReplyFault
from batchtask_local.batch.__main__ import main
from contract.local_batch.support import NEEDS, Jobs, batch_client, logs_client, messages

COMMAND = [sys.executable, "-m", "batchtask_local.batch"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["faults", "--help"]])
def test_help_answers(arguments: list[str]) -> None:
    reply = run(*arguments)

    assert reply.returncode == 0
    assert "usage: python -m batchtask_local.batch" in reply.stdout


def test_help_names_every_fault() -> None:
    text = run("faults", "--help").stdout

    words = {"errors": "error", "replies": "reply"}
    for field in Faults.model_fields:
        assert f"{words.get(field, field)}=" in text


def test_queues_definitions_and_variables_are_there_from_the_start(tmp_path: Path) -> None:
    definition = tmp_path / "definition.json"
    properties = {"image": "x", "command": ["printenv", "A"], "resourceRequirements": NEEDS}
    request = {"jobDefinitionName": "d", "type": "container", "containerProperties": properties}
    definition.write_text(json.dumps(request))
    arguments = ["--queue", "q:2:7", "--job-definition", str(definition), "--env", "A=b=c"]
    server = subprocess.Popen(
        [*COMMAND, "run", "--dir", str(tmp_path), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    with server.stdout as output:
        try:
            lines = []
            for line in output:
                lines.append(line.rstrip())
                if line.startswith("ready: "):
                    break
            url = lines[-1].removeprefix("ready: ")
            job = Jobs(batch_client(url), "q", "d").run()
            printed = messages(logs_client(url), job["container"]["logStreamName"])
            (queue,) = batch_client(url).describe_job_queues()["jobQueues"]
        finally:
            server.terminate()
            rest = output.read()

    assert printed == ["b=c"]
    assert queue["priority"] == 7
    assert lines[:2] == ["queue q: 2 vCPUs, priority 7", "job definition d"]
    assert rest.splitlines()[-1] == "stopped"
    assert server.wait(20) == 0


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: its exit code, output and errors."""

    def run_main(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "--queue", "q"], "NAME:VCPUS"),
        (["run", "--env", "A"], "KEY=VALUE"),
        (["run", "--job-definition", "/nothing.json"], "/nothing.json can't be read"),
        (["run", "--time-scale", "0"], "time_scale must be above 0"),
        (["run", "--host", "203.0.113.1"], "203.0.113.1"),
        (["run", "--fault", "speed=1"], "speed: "),
        (["run", "--queue", "q:1", "--queue", "q:2"], "Object already exists"),
        (["faults", "--endpoint", "http://127.0.0.1:1"], "127.0.0.1"),
        (["faults"], "--endpoint"),
    ],
)
def test_a_wrong_word_is_an_error_with_its_name(
    run_here: Run, arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    if arguments[0] == "run":
        arguments = [*arguments, "--dir", str(tmp_path)]

    code, _, errors = run_here(*arguments)

    assert code == 2
    assert complaint in errors


def test_a_wrong_definition_is_an_error_with_its_member(run_here: Run, tmp_path: Path) -> None:
    path = tmp_path / "definition.json"
    path.write_text('{"jobDefinitionName": "d", "type": "container", "image": "x"}')

    code, _, errors = run_here("run", "--dir", str(tmp_path), "--job-definition", str(path))

    assert code == 2
    assert 'Unknown parameter in input: "image"' in errors


def test_faults_are_switched(run_here: Run, batch: LocalBatchHandle) -> None:
    faults = Faults(
        throttle=50, replies=(ReplyFault(outcome="drop", operation="SubmitJob", times=1),)
    )

    assert run_here("faults", "--endpoint", batch.url, "throttle=50", "reply=drop::1")[0] == 0
    assert batch.faults == faults

    _, shown, _ = run_here("faults", "--endpoint", batch.url)
    assert Faults.model_validate_json(shown) == faults

    assert run_here("faults", "--endpoint", batch.url, "--reset")[0] == 0
    assert batch.faults == Faults()


def test_an_unknown_operation_is_refused_by_the_server(
    run_here: Run, batch: LocalBatchHandle
) -> None:
    code, _, errors = run_here("faults", "--endpoint", batch.url, "error=SubmitJobs:Oops:500")

    assert code == 2
    assert "SubmitJobs" in errors
