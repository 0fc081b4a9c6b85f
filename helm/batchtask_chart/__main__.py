"""Writes the chart's generated files, and the plain manifest that is made from the chart.

`make generate` runs it, with helm/ on PYTHONPATH.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from batchtask_chart import readme, render
from batchtask_chart.manifests import plain_manifests
from batchtask_chart.values import Values

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_CHART: Final = Path("helm", "airflow-batchtask")
_PLAIN: Final = Path("manifests", "deployment.yaml")
_MARK: Final = "# Generated from helm/batchtask_chart/values.py by `make generate`; do not edit.\n"


def generated() -> dict[Path, str]:
    """Give the text of every file that is made without Helm, by its path in the checkout."""
    return {
        _CHART / "values.yaml": _MARK + render.values_yaml(Values()),
        _CHART / "values.schema.json": render.schema(Values),
        _CHART / "README.md": readme.readme(Values()),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or only compare them; give the exit code (1: some differ)."""
    parser = argparse.ArgumentParser(prog="python -m batchtask_chart", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name what differs")
    parser.add_argument("--without-helm", action="store_true", help="leave out what Helm renders")
    parser.add_argument("--root", type=Path, default=_CHECKOUT, help="the checkout to write to")
    options = parser.parse_args(arguments)
    files = generated()
    stale = _bring(files, options.root, writes=not options.check)
    if not options.without_helm:
        # After the values were written: Helm renders what stands in the files.
        plain = {_PLAIN: plain_manifests(options.root / _CHART)}
        stale += _bring(plain, options.root, writes=not options.check)
    for path in stale:
        verb = "differs from its source: run `make generate`" if options.check else "written"
        sys.stdout.write(f"{path} {verb}\n")
    return 1 if stale and options.check else 0


def _bring(files: Mapping[Path, str], root: Path, *, writes: bool) -> list[Path]:
    """Name the files that differ, and write them if that is wanted."""
    stale = [path for path, text in files.items() if _read(root / path) != text]
    if writes:
        for path in stale:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path], encoding="utf-8")
    return stale


def _read(file: Path) -> str | None:
    return file.read_text("utf-8") if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
