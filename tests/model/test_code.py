"""Each step stands for a function that is there, and for a line of the document's table."""

import importlib
from pathlib import Path

import pytest

from model.controller import CODE

DOCUMENT = Path(__file__).parents[2] / "docs" / "submission-protocol.md"


@pytest.mark.parametrize("place", sorted(set(CODE.values())))
def test_the_code_that_a_step_stands_for_is_there(place: str) -> None:
    module, _, path = place.partition(":")

    found: object = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)

    assert callable(found)


def test_the_document_has_every_step_and_its_code() -> None:
    rows = [row for row in DOCUMENT.read_text().splitlines() if row.startswith("| ")]

    for action, place in CODE.items():
        module, _, path = place.partition(":")
        name = f"{module.rpartition('.')[2]}.{path}"
        assert any(f"| {action} |" in row and f"`{name}`" in row for row in rows), action
