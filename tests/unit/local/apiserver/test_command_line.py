"""The command line refuses bad input in one line, and files that hold no CRD."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from batchtask_local.apiserver import ApiServerError, __main__, crds
from batchtask_local.apiserver.certificates import make_certificates
from batchtask_local.apiserver.server import write_kubeconfig


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "crd.yaml can't be read: No such file or directory"),
        ("a: [", "crd.yaml can't be read as YAML"),
        ("", "crd.yaml holds no CustomResourceDefinition"),
        ("kind: Secret", "crd.yaml holds something other than a CustomResourceDefinition"),
        ("just text", "crd.yaml holds something other than a CustomResourceDefinition"),
    ],
    ids=["absent", "broken", "empty", "other", "text"],
)
def test_a_file_without_a_definition_is_refused(
    tmp_path: Path, content: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "crd.yaml"
    if content is not None:
        file.write_text(content)

    code = __main__.main(["run", "--api=emulator", f"--crd={file}"])

    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert message in said


def test_several_documents_are_read(tmp_path: Path) -> None:
    file = tmp_path / "crds.yaml"
    one = "kind: CustomResourceDefinition\nmetadata: {name: a}\n"
    file.write_text(f"---\n{one}---\n---\n{one}")

    assert len(crds.read_crds([file, file])) == 4


@pytest.mark.parametrize("arguments", [["run", "--api=docker"], ["prepare", "--with=docker"], []])
def test_an_unknown_choice_ends_with_code_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(arguments)

    assert ended.value.code == 2


def test_a_folder_without_binaries_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert __main__.main(["run"]) == 2
    assert f"KUBEBUILDER_ASSETS={tmp_path} holds no etcd" in capsys.readouterr().err


def test_a_kubeconfig_of_the_users_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "config"
    mine.write_text("mine")

    assert __main__.main(["run", "--api=emulator", f"--kubeconfig-out={mine}"]) == 2
    assert mine.read_text() == "mine"
    assert f"--kubeconfig-out: {mine} is there already" in capsys.readouterr().err


def test_help_tells_where_the_binaries_come_from() -> None:
    command = [sys.executable, "-m", "batchtask_local.apiserver", "--help"]

    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    for word in ("KUBEBUILDER_ASSETS", "BATCHTASK_CACHE", "go.mod", "prepare", "run"):
        assert word in told


def test_keys_and_kubeconfigs_are_their_owners_only(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "pki")
    kubeconfig = tmp_path / "kubeconfig"
    url = "https://127.0.0.1:1"
    write_kubeconfig(kubeconfig, url=url, ca_file=made.ca, token="t", user="admin")

    for file in (made.serving_key, made.service_account_key, kubeconfig):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_package_names_its_error() -> None:
    with pytest.raises(ApiServerError):
        crds.read_crds([Path("/nowhere")])
