"""The two executors that are compared."""

from enum import StrEnum


class Side(StrEnum):
    """One of the two executors, by its name in `[core] executor`."""

    LOCAL = "LocalExecutor"
    BATCHTASK = "batchtask"

    def dag_id(self, original: str) -> str:
        """Return the id of this side's twin of a DAG."""
        return f"{self.name.lower()}.{original}"
