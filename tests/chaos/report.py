"""What is said of runs: one line each in a table, and everything about one that failed."""

from collections.abc import Sequence

from chaos.stage import Result

_COLUMNS = (
    ("run", 26),
    ("seed", 6),
    ("tasks", 6),
    ("kills", 6),
    ("freezes", 8),
    ("at points", 10),
    ("faults", 7),
    ("submits", 8),
    ("unknown", 8),
    ("look-ups", 9),
    ("duplicates", 11),
    ("lost", 5),
    ("orphans", 8),
    ("seconds", 8),
    ("stalled", 8),
)


def is_as_promised(result: Result) -> bool:
    """Whether a run found nothing wrong, and did what it was for."""
    has_fallen = result.falls >= result.scenario.must_fall
    return result.audit.is_clean and not result.unfinished and has_fallen


def head() -> str:
    """The table's first line."""
    return _line([name for name, _ in _COLUMNS])


def row(result: Result) -> str:
    """A run's line."""
    return _line(
        [
            result.scenario.name,
            result.scenario.seed,
            len(result.scenario.tasks),
            result.kills,
            result.stops,
            result.falls,
            result.faults,
            result.submits,
            result.unknown,
            result.look_ups,
            len(result.audit.duplicates),
            len(result.audit.lost),
            len(result.audit.orphans),
            f"{result.seconds:.1f}",
            f"{result.stalled:.1f}",
        ]
    )


def total(results: Sequence[Result]) -> str:
    """The line under all runs."""
    return _line(
        [
            f"{len(results)} runs",
            "",
            sum(len(one.scenario.tasks) for one in results),
            sum(one.kills for one in results),
            sum(one.stops for one in results),
            sum(one.falls for one in results),
            sum(one.faults for one in results),
            sum(one.submits for one in results),
            sum(one.unknown for one in results),
            sum(one.look_ups for one in results),
            sum(len(one.audit.duplicates) for one in results),
            sum(len(one.audit.lost) for one in results),
            sum(len(one.audit.orphans) for one in results),
            f"{sum(one.seconds for one in results):.1f}",
            f"{max(one.stalled for one in results):.1f}",
        ]
    )


def problems(result: Result) -> list[str]:
    """What is wrong with a run, and its story; nothing where all is well."""
    if is_as_promised(result):
        return []
    scenario, found = result.scenario, result.audit
    said = [f"{scenario.name}, seed {scenario.seed}:"]
    said += [f"  duplicate: {one}" for one in found.duplicates]
    said += [f"  lost: {one}" for one in found.lost]
    said += [f"  orphan: {one}" for one in found.orphans]
    said += [f"  not at its end in time: {one}" for one in result.unfinished]
    if result.falls < scenario.must_fall:
        said.append("  no controller fell at its point: the run shows nothing")
    said += [f"  {line}" for line in result.story]
    if scenario.name.startswith("seed-"):
        count = len(scenario.tasks)
        said.append(f"  again: python -m chaos --first {scenario.seed} --seeds 1 --tasks {count}")
    return said


def _line(cells: Sequence[object]) -> str:
    first, *rest = (
        f"{cell!s:<{width}}" if index == 0 else f"{cell!s:>{width}}"
        for index, (cell, (_, width)) in enumerate(zip(cells, _COLUMNS, strict=True))
    )
    return "".join([first, *rest]).rstrip()
