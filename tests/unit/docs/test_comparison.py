"""Each of our rows in docs/comparison.md names a test that is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = [
    line
    for line in (ROOT / "docs" / "comparison.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]
NAMED = re.compile(r"`(tests/[\w/.]+\.py)::(test_\w+)`")


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_there_are_rows() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_test_that_a_row_names_is_there(row: str) -> None:
    *_, ours, end = row.split("|")
    named = NAMED.findall(ours)

    assert end == ""
    assert row.count("|") == 6
    assert len(named) == 1
    for file, test in named:
        assert test in functions_of(ROOT / file)
