"""The executor: it gives Airflow's workloads to AWS Batch by way of BatchTasks in Kubernetes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchtask_executor.executor import BatchTaskExecutor

__all__ = ["BatchTaskExecutor"]


def __getattr__(name: str) -> Any:
    """Load the executor when it is asked for: the pure modules need no Airflow."""
    if name != "BatchTaskExecutor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from batchtask_executor.executor import BatchTaskExecutor

    return BatchTaskExecutor
