"""A DAG of the team blue."""

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False)
def of_blue() -> None:
    """Run one task on the team's default executor."""

    @task
    def once() -> None:
        print("done")  # noqa: T201 - shows in the task's log

    once()


of_blue()
