"""One command a figure: `python -m bench heartbeat`, `calls` or `controller`."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the figure that the arguments name, and print it."""
    parsed = _parser().parse_args(arguments)
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = (
        "CRITICAL"  # Airflow reads it when it's imported
    )
    for line in _measure(parsed):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _measure(parsed: argparse.Namespace) -> Iterator[str]:
    match parsed.figure:
        case "heartbeat":
            from bench import heartbeat

            return heartbeat.measure(parsed.tasks, parsed.latency)
        case "calls":
            from bench import calls

            return calls.measure(parsed.tasks, parsed.seconds)
        case _:
            from bench import controller

            return controller.measure(parsed.tasks)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    figures = parser.add_subparsers(dest="figure", required=True)
    heartbeat = figures.add_parser("heartbeat", help="the scheduler's time for many workloads")
    heartbeat.add_argument("--tasks", type=int, default=1000)
    heartbeat.add_argument("--latency", type=float, default=0.2, help="seconds a call takes")
    calls = figures.add_parser("calls", help="AWS calls a task")
    calls.add_argument("--tasks", type=int, default=200)
    calls.add_argument("--seconds", type=float, default=60, help="how long each job runs")
    controller = figures.add_parser("controller", help="the controller's speed and its patches")
    controller.add_argument("--tasks", type=int, default=1000)
    return parser


if __name__ == "__main__":
    main()
