"""The chart's generated files are as their sources make them."""

from pathlib import Path

import pytest

from batchtask_chart.__main__ import generated, main
from helm.chart import ROOT


@pytest.mark.parametrize("path", generated(), ids=str)
def test_a_generated_file_agrees_with_its_source(path: Path) -> None:
    assert (ROOT / path).read_text("utf-8") == generated()[path], "run `make generate`"


def test_the_manifest_that_helm_renders_agrees_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_what_differs_is_named_and_not_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--root", str(tmp_path), "--without-helm"])
    (tmp_path / "helm/airflow-batchtask/values.yaml").write_text("replicas: 9\n")
    capsys.readouterr()

    assert main(["--check", "--without-helm", "--root", str(tmp_path)]) == 1

    said = "helm/airflow-batchtask/values.yaml differs from its source: run `make generate`\n"
    assert capsys.readouterr().out == said
    assert (tmp_path / "helm/airflow-batchtask/values.yaml").read_text() == "replicas: 9\n"
