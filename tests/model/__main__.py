"""`python -m model`, in tests/: search at a larger bound, or show what each rule is for."""

import argparse
import sys
from collections.abc import Sequence

from model import report
from model.bounds import BOUNDS
from model.mutants import BEYOND, ENDS, NEEDED, REDUNDANT, Mutant
from model.search import Outcome, search
from model.state import Property


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where the outcome is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    parser.add_argument(
        "--bound", type=int, choices=sorted(BOUNDS), default=1, help="1 is what CI searches"
    )
    parser.add_argument(
        "--mutants",
        action="store_true",
        help="take each rule away, and print the shortest way to what breaks",
    )
    chosen = parser.parse_args(arguments)
    is_right = _mutants() if chosen.mutants else _protocol(chosen.bound)
    return 0 if is_right else 1


def _protocol(bound: int) -> bool:
    is_right = True
    for model in BOUNDS[bound]:
        _say(f"{report.faults(model)}")
        outcome = search(model, progress=_progress)
        _say(report.summary(outcome), *report.trace(outcome))
        is_right &= outcome.broken is None
    return is_right


def _mutants() -> bool:
    is_right = True
    for mutant in (*NEEDED, ENDS, *REDUNDANT, *BEYOND):
        outcome = judged(mutant)
        _say(f"{mutant.name} [{report.faults(mutant.model)}]", report.summary(outcome))
        _say(*report.trace(outcome), "")
        is_right &= outcome.broken is mutant.breaks
    return is_right


def judged(mutant: Mutant) -> Outcome:
    """Search for what the mutant must break, or for anything."""
    asked = frozenset(Property if mutant.breaks is None else {mutant.breaks})
    return search(mutant.model, asked)


def _progress(found: int, left: int, seconds: float) -> None:
    if seconds > 1:
        _say(f"{found:>10,} states, {left:,} to look at, {seconds:.0f} s")


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
