"""The few numbers that an operator of the executor needs, by way of Airflow's own metrics.

| name | kind | counts |
|---|---|---|
| `batchtask_executor.writes` | counter | BatchTasks written, each with its workload |
| `batchtask_executor.write_duration` | timer | from the scheduler's hand-over to the write's end |
| `batchtask_executor.delays` | counter | writes put off, for a reason that was told in the UI |
| `batchtask_executor.refusals` | counter | task instances failed before anything was written |
| `batchtask_executor.ends.success` | counter | jobs whose process ended well |
| `batchtask_executor.ends.failed` | counter | jobs that ended otherwise, or never were |
| `batchtask_executor.cached_tasks` | gauge | BatchTasks of this instance in the cluster |
"""

from datetime import timedelta
from typing import Final, Protocol, assert_never

from batchtask_executor.cluster.orders import Delayed, Rejected, Renamed, Report, Written
from batchtask_executor.following.outcome import End, Succeeded

PREFIX: Final = "batchtask_executor"


class Stats(Protocol):
    """Airflow's Stats, as far as it is needed; it waits for nothing."""

    def incr(self, stat: str) -> None:
        """Count one more."""

    def gauge(self, stat: str, value: float) -> None:
        """Set a number."""

    def timing(self, stat: str, dt: timedelta) -> None:
        """Record a duration."""


class Metrics:
    """Tells Airflow's metrics of what the executor saw; without tags, which StatsD may not have."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def took(self, report: Report) -> None:
        """Count what became of a write."""
        match report:
            case Written(seconds=seconds):
                self._stats.incr(f"{PREFIX}.writes")
                self._stats.timing(f"{PREFIX}.write_duration", timedelta(seconds=seconds))
            case Delayed():
                self._stats.incr(f"{PREFIX}.delays")
            case Rejected():
                self._stats.incr(f"{PREFIX}.refusals")
            case Renamed():
                pass
            case _:
                assert_never(report)

    def ended(self, end: End) -> None:
        """Count an end that Airflow is told of."""
        how = "success" if isinstance(end, Succeeded) else "failed"
        self._stats.incr(f"{PREFIX}.ends.{how}")

    def cached(self, tasks: int) -> None:
        """Say how many tasks are known."""
        self._stats.gauge(f"{PREFIX}.cached_tasks", tasks)
