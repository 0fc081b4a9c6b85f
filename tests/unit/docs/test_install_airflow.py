"""docs/install-airflow.md says what is so."""

import re
from pathlib import Path

import pytest

from batchtask_executor.checks import probe_script
from batchtask_executor.checks.probe import MEANINGS

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "install-airflow.md").read_text("utf-8")
SCRIPT = Path(probe_script.__file__).read_text("utf-8")
_ROW = re.compile(r"^\| (\d+) \| `([^`]+)` \|", re.MULTILINE)
ROWS = {int(code): start for code, start in _ROW.findall(TEXT)}


def test_every_exit_code_of_the_probe_is_explained() -> None:
    assert ROWS.keys() == {0, *MEANINGS}


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_its_lines_begin_as_they_are_said_to(code: int) -> None:
    begins = ROWS[code].removeprefix("WRONG: ").replace(probe_script.VARIABLE, "{VARIABLE}")

    assert f'"{begins}' in SCRIPT


@pytest.mark.parametrize("page", ["install-airflow.md", "image.md"])
def test_what_it_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\((?!https|#)([^)#]+)", (DOCS / page).read_text("utf-8"))

    assert [link for link in links if not (DOCS / link).exists()] == []
