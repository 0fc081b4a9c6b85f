"""docs/migration.md speaks of all options, the old ones and ours, and of all metrics."""

from pathlib import Path

from batchtask_executor.checks.migrate import OLD_OPTIONS
from batchtask_executor.config import Settings
from batchtask_executor.following import metrics
from batchtask_executor.jobs.short_forms import ShortForms

PAGE = (Path(__file__).parents[3] / "docs" / "migration.md").read_text("utf-8")


def test_every_old_option_has_its_row() -> None:
    assert [name for name in OLD_OPTIONS if f"\n| `{name}` |" not in PAGE] == []


def test_every_option_of_ours_is_spoken_of() -> None:
    assert [name for name in Settings.model_fields if f"`{name}`" not in PAGE] == []


def test_every_short_form_is_spoken_of() -> None:
    assert [name for name in ShortForms.__dataclass_fields__ if f"`{name}`" not in PAGE] == []


def test_every_metric_is_described_as_the_code_does() -> None:
    described = [line for line in str(metrics.__doc__).splitlines() if line.startswith("| `")]

    assert described
    assert [line for line in described if line not in PAGE] == []
