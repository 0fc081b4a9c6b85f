"""What ends the controller before it has begun: each wrong setting is named, in words."""

import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_controller.__main__ import main


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """main() sets up the logs of the whole process."""
    root, ours = logging.getLogger(), logging.getLogger("batchtask_controller")
    kopf = logging.getLogger("kopf._core.reactor.running")
    handlers, levels = root.handlers[:], [each.level for each in (root, ours, kopf)]
    yield
    root.handlers[:] = handlers
    for logger, level in zip((root, ours, kopf), levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> "Run":
    for name in ("AWS_PROFILE", "KUBECONFIG", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Run(monkeypatch, capfd)


class Run:
    """main() with a command line, and what it prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *options: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        fixed = ["--aws-region=us-east-1", "--health-host=127.0.0.1", "--health-port=0"]
        self._monkeypatch.setattr(sys, "argv", ["batchtask_controller", *fixed, *options])
        code = main()
        return code, self._capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        (["--calls-per-second=0"], {}, "CALLS_PER_SECOND"),
        (["--health-port=many"], {}, "HEALTH_PORT"),
        (["--namespaces="], {}, "NAMESPACES"),
        (
            [],
            {"BATCHTASK_POLICY": '{"team": {"jobQueues": ["a b"]}}'},
            "BATCHTASK_POLICY: team: jobQueues: ",
        ),
        ([], {"BATCHTASK_POLICY": "{"}, "BATCHTASK_POLICY: this is no JSON: "),
        ([], {"BATCHTASK_ACCOUNTS": '{"team": {"role": "r"}}'}, "(JSON: by namespace, the roleArn"),
        ([], {"BATCHTASK_LOG_LEVEL": "LOUD"}, "BATCHTASK_LOG_LEVEL"),
        ([], {"BATCHTASK_SUBMIT_CONCURRENCY": "none"}, "BATCHTASK_SUBMIT_CONCURRENCY"),
        (["--aws-endpoint-url=nonsense"], {}, "nonsense"),
        (["--aws-endpoint-url=http://me:secret@no host"], {}, "http://***@no host"),
        ([], {"AWS_PROFILE": "nobody"}, "nobody"),
        ([], {"KUBECONFIG": "/nowhere/kubeconfig"}, "/nowhere/kubeconfig"),
        ([], {}, "set KUBECONFIG"),
    ],
    ids=[
        "number",
        "port",
        "namespaces",
        "policy",
        "policy that is no JSON",
        "account",
        "level",
        "variable",
        "endpoint",
        "endpoint with a login",
        "profile",
        "kubeconfig",
        "login",
    ],
)
def test_a_wrong_setting_is_named_and_ends_it(
    run: Run, options: list[str], environment: dict[str, str], words: str
) -> None:
    code, said = run(*options, **environment)

    assert code == 2
    assert words in said
    assert "Traceback" not in said


def test_a_variable_that_nothing_reads_is_named_with_what_may_be_meant(run: Run) -> None:
    _, said = run(BATCHTASK_AWS_REGIN="eu-west-1", BATCHTASK_ZZ="1", batchtask_log_tail="false")

    assert "BATCHTASK_AWS_REGIN is no option of the controller" in said
    assert "is BATCHTASK_AWS_REGION meant?" in said
    assert "BATCHTASK_ZZ is no option of the controller, so it has no effect" in said
    assert "log_tail" not in said.lower()


def test_a_kubeconfig_without_a_context_is_said_in_words(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("apiVersion: v1\nkind: Config\n")

    code, said = run(KUBECONFIG=str(file))

    assert code == 2
    assert "no Kubernetes credentials" in said


def test_a_port_that_is_taken_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, said = run(f"--health-port={port}", KUBECONFIG=str(file))

    assert code == 2
    assert str(port) in said
    assert "Traceback" not in said
