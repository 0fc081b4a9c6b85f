"""What the demonstration shows while it runs: its phases with their times, and the tasks live."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

_COLORS = {
    "success": "green",
    "skipped": "bright_black",
    "failed": "red",
    "running": "cyan",
    "queued": "yellow",
    "up_for_retry": "magenta",
}


class Show:
    """Prints to a console; on anything but a terminal, a line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Name a phase, and say how long it took."""
        began = time.monotonic()
        with self._console.status(f"{name} …"):
            yield
        self._console.print(f"[green]✓[/] {name} [dim]{time.monotonic() - began:.1f} s[/]")

    def note(self, message: str) -> None:
        """Say something within a phase."""
        self._console.print(f"  [dim]{message}[/]", highlight=False)

    def say(self, message: str) -> None:
        """Print as it is."""
        self._console.print(message, highlight=False)

    def plain(self, text: str) -> None:
        """Print what another program printed, with nothing wrapped."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self, shown: Table) -> None:
        """Print a table."""
        self._console.print(shown)

    def total(self) -> str:
        """How long all took so far."""
        return f"{time.monotonic() - self._started:.0f} s"

    @contextlib.contextmanager
    def tasks(self) -> Iterator["TaskTable"]:
        """Show task instances for as long as the context lasts."""
        if self._console.is_terminal:
            with Live(console=self._console, refresh_per_second=4, transient=True) as live:
                yield TaskTable(self, live)
        else:
            yield TaskTable(self, None)


class TaskTable:
    """The task instances of a run, with their states."""

    def __init__(self, show: Show, live: Live | None) -> None:
        self._show = show
        self._live = live
        self._seen: dict[tuple[str, int], tuple[str, int]] = {}

    def update(self, instances: Sequence[dict[str, Any]]) -> None:
        """Show how they stand now."""
        if self._live is not None:
            self._live.update(table(instances))
            return
        for instance in instances:
            key = (instance["task_id"], instance["map_index"])
            now = (instance["state"] or "none", instance["try_number"])
            if now[0] != "none" and self._seen.get(key) != now:
                self._seen[key] = now
                self._show.note(f"{label(*key)} try {now[1]}: {now[0]}")


def table(instances: Sequence[dict[str, Any]]) -> Table:
    """The task instances as a table."""
    shown = Table(box=None, pad_edge=False)
    for column in ("task", "try", "state", "seconds"):
        shown.add_column(column)
    for instance in sorted(instances, key=lambda one: (one["task_id"], one["map_index"])):
        state = instance["state"] or "none"
        took = instance.get("duration")
        shown.add_row(
            label(instance["task_id"], instance["map_index"]),
            str(instance["try_number"]),
            f"[{_COLORS.get(state, 'default')}]{state}[/]",
            "" if took is None else f"{took:.1f}",
        )
    return shown


def label(task_id: str, map_index: int) -> str:
    """A task instance's name for people."""
    return task_id if map_index < 0 else f"{task_id}\\[{map_index}]"
