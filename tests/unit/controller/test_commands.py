"""The commands beside serving: what they refuse, and how they fail in words."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask_controller.__main__ import main


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command sets up the logs of the whole process."""
    loggers = [logging.getLogger(name) for name in ("", "batchtask_controller", KOPF)]
    handlers, levels = loggers[0].handlers[:], [each.level for each in loggers]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


KOPF = "kopf._core.reactor.running"


@pytest.fixture(autouse=True)
def without_a_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("HOME", str(tmp_path))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["batchtask_controller", *words])
    return main()


@pytest.mark.parametrize("words", [("release", "--all"), ("check",), ("orphans",)])
def test_without_a_cluster_it_says_so(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *words) == 1

    printed = capfd.readouterr()
    assert "no Kubernetes credentials" in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("command", ["release", "check", "orphans"])
def test_help_answers(
    command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, command, "--help")

    assert ended.value.code == 0
    assert "KUBECONFIG" in capfd.readouterr().out


def test_release_wants_to_be_told_that_all_are_meant(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "release")

    assert ended.value.code == 2
    assert "--all" in capfd.readouterr().err


def test_the_servers_own_help_names_the_commands(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--help")

    said = capfd.readouterr().out
    assert "release" in said
    assert "check" in said
    assert "orphans" in said
