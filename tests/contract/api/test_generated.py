"""What is on disk is what its source makes."""

from pathlib import Path

import pytest

from batchtask_api import generate, submit_job

ROOT = Path(__file__).parents[3]
FILES = generate.generated(generate.submit_job_schema())


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_agrees_with_its_source(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == FILES[name], "run `make generate`"


def test_the_shipped_schema_is_the_one_inside_the_crd() -> None:
    assert submit_job.schema() == generate.submit_job_schema()
