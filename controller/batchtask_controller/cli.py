"""`batchtask`, and `kubectl batchtask`: the controller's commands for people."""

import argparse
import sys
from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that stands first, and return its exit code."""
    try:
        from batchtask_controller.commands import COMMANDS
    except ImportError as error:
        sys.exit(f"{error}: install airflow-batchtask[controller]")
    words = sys.argv[1:] if words is None else words
    if words and (command := COMMANDS.get(words[0])):
        return command(words[1:])
    parser = argparse.ArgumentParser(
        prog="batchtask",
        description="Looks after BatchTasks and their jobs; each command has a --help of its own.",
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.parse_args(words)
    return 2
