"""All DAGs there are, and one run of those that `make test` chooses."""

import contextlib
import sys
from collections.abc import Sequence

import pytest

from matrix.catalog import catalog
from matrix.example import Cover, Example
from matrix.outcomes import only_local_fell
from matrix.run import Result, run
from matrix.selection import ci_cover

SECONDS = 900


@pytest.fixture(scope="session")
def known() -> Sequence[Example]:
    return catalog()


@pytest.fixture(scope="session")
def chosen(known: Sequence[Example]) -> Cover:
    return ci_cover(known)


@pytest.fixture(scope="session")
def result(
    chosen: Cover, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        # It takes minutes: that it goes on must be seen.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            sys.stderr.write(f"{line}\n")

    found = run(chosen.chosen, tmp_path_factory.mktemp("matrix") / "home", SECONDS, say)
    if not only_local_fell(found.local, found.batchtask):
        return found
    say("runs failed on LocalExecutor alone: all of it once more")
    return run(chosen.chosen, tmp_path_factory.mktemp("matrix") / "home", SECONDS, say)
