"""The executor over a given cluster and Airflow's own database."""

from airflow.executors.executor_utils import ExecutorName

from batchtask_executor.cluster.tasks import BatchTasks
from batchtask_executor.executor import BatchTaskExecutor
from batchtask_executor.following.rows import Rows
from fakes.executors import ExecutorOver


class ExecutorOnDatabase(ExecutorOver):
    """It reads the rows where Airflow's settings lead to."""

    def read_rows(self) -> Rows:
        return BatchTaskExecutor.read_rows(self)


def executor_on(cluster: BatchTasks, alias: str | None = None) -> ExecutorOnDatabase:
    """An executor that goes by that alias, or by its class alone."""
    executor = ExecutorOnDatabase(cluster, parallelism=1000)
    executor.name = ExecutorName(
        module_path="batchtask_executor.BatchTaskExecutor", alias=alias, team_name=None
    )
    return executor
