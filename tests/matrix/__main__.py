"""`python -m matrix`, in tests/: every example DAG that needs nothing outside, on both executors.

python -m matrix                 all of them
python -m matrix example_xcom    these alone, with those that they wait for
python -m matrix --cover         those that `make test` runs
python -m matrix --list          what would run, and what is left out
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from matrix.catalog import catalog
from matrix.example import Example
from matrix.outcomes import differences
from matrix.run import ENDED, run
from matrix.selection import ci_cover

_SECONDS = 3 * 3600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where the two executors came to different ends."""
    parser = argparse.ArgumentParser(prog="python -m matrix", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("dag_ids", nargs="*", help="only these DAGs")
    parser.add_argument("--cover", action="store_true", help="only those of `make test`")
    parser.add_argument("--list", action="store_true", help="run nothing")
    parser.add_argument("--directory", type=Path, help="where logs and databases stay")
    chosen = parser.parse_args(arguments)
    known = catalog()
    wanted = [example for example in known if not example.left_out]
    if chosen.cover:
        wanted = list(ci_cover(known).chosen)
    if chosen.dag_ids:
        wanted = _with_their_needs(chosen.dag_ids, known)
    _say(f"{len(wanted)} of {len(known)} DAGs, {sum(one.tasks for one in wanted)} tasks or more")
    for example in known:
        if example.left_out:
            _say(f"left out: {example.dag_id}: {example.left_out}")
    if chosen.list:
        for example in wanted:
            _say(f"{example.dag_id}: {', '.join(sorted(example.features)) or 'plain tasks'}")
        return 0
    if chosen.directory:
        return _run(wanted, chosen.directory.resolve())
    with tempfile.TemporaryDirectory(prefix="matrix-") as home:
        return _run(wanted, Path(home))


def _with_their_needs(dag_ids: Collection[str], known: Sequence[Example]) -> list[Example]:
    by_id = {example.dag_id: example for example in known}
    needed = set(dag_ids)
    for dag_id in dag_ids:
        needed |= by_id[dag_id].waits_for
    return [by_id[dag_id] for dag_id in sorted(needed)]


def _run(examples: Sequence[Example], home: Path) -> int:
    begun = time.monotonic()
    result = run(examples, home, _SECONDS, _say)
    found = differences(result.local, result.batchtask)
    for line in found:
        _say(f"differs: {line}")
    runs = {**result.local.runs, **result.batchtask.runs}
    unended = sorted({dag_id for (dag_id, _), state in runs.items() if state not in ENDED})
    again = [name for name, number in result.submits.items() if number > 1]
    for name in again:
        _say(f"submitted more than once: {name}")
    for dag_id in unended:
        _say(f"not ended: {dag_id}")
    seconds = time.monotonic() - begun
    number = len(result.batchtask.instances)
    _say(f"{number} task instances, {len(found)} differences, {seconds:.0f} s")
    return 1 if found or unended or again else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
