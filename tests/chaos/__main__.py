"""`python -m chaos`, in tests/: controllers killed and frozen by seed, then the audit.

    python -m chaos --first 1 --seeds 20            twenty runs in which anything happens
    python -m chaos --points                        a death and a frost at every step
    python -m chaos --mutants                       a part of the protocol left out: it must show
    python -m chaos --mutant no-cas --seeds 5       the same, and in so many seeds

A seed draws all that happens; how processes interleave with it is the machine's, so that a seed
that failed may need a few repeats.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from batchtask_local.apiserver import ApiServer, envtest
from chaos import report
from chaos.orders import Mutant
from chaos.scenario import Scenario, every_frost, every_point, of_mutant, of_seed
from chaos.stage import Result, play

CRD = Path(__file__).parents[2] / "manifests" / "crd.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a run did not end as it should."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--seeds", type=int, help="how many seeds (default: 20, or 0)")
    parser.add_argument("--tasks", type=int, default=200, help="of each seed (default: 200)")
    parser.add_argument("--points", action="store_true", help="run every point")
    parser.add_argument("--mutants", action="store_true", help="run each mutant where it shows")
    parser.add_argument("--mutant", type=Mutant, choices=list(Mutant), help="run this mutant")
    parser.add_argument("--jobs", type=int, default=3, help="runs at a time (default: 3)")
    parser.add_argument("--logs", type=Path, help="keeps the logs of all runs in this folder")
    chosen = parser.parse_args(arguments)
    seeds = chosen.seeds
    if seeds is None:
        seeds = 0 if chosen.points or chosen.mutants or chosen.mutant else 20
    scenarios: list[Scenario] = []
    if chosen.mutants:
        scenarios += map(of_mutant, Mutant)
    if chosen.mutant:
        scenarios.append(of_mutant(chosen.mutant))
    if chosen.points:
        found = {one.name: one for one in (*every_point(), *every_frost())}
        scenarios += found.values()
    drawn = (of_seed(chosen.first + index, chosen.tasks) for index in range(seeds))
    scenarios += (replace(one, mutant=chosen.mutant) for one in drawn)
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # its clients die on purpose
    with envtest([CRD], _say) as server:
        results = _play(scenarios, server, chosen.jobs, chosen.logs)
    if chosen.mutant:  # what a seed draws need not be what shows it
        return 0 if any(result.audit.duplicates for result in results) else 1
    return 0 if all(map(_is_right, results)) else 1


def _play(
    scenarios: Sequence[Scenario], server: ApiServer, jobs: int, logs: Path | None
) -> Sequence[Result]:
    def one(scenario: Scenario) -> Result:
        folder = None
        if logs is not None:
            folder = logs / f"{scenario.name.replace('/', '-')}-{scenario.seed}"
            folder.mkdir(parents=True)
        result = play(scenario, server, folder)
        _say(report.row(result))
        return result

    _say(report.head())
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(one, scenarios))
    _say(report.total(results))
    for result in results:
        if not _is_right(result):
            _say(*report.problems(result))
            if result.scenario.mutant is not None:
                _say(f"{result.scenario.name}: no duplicate: the audit did not see it")
    return results


def _is_right(result: Result) -> bool:
    if result.scenario.mutant is not None:
        return bool(result.audit.duplicates)
    return report.is_as_promised(result)


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
