"""A DAG of no team."""

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False)
def of_no_team() -> None:
    """Run one task on the executor that is everybody's default."""

    @task
    def once() -> None:
        print("done")  # noqa: T201 - shows in the task's log

    once()


of_no_team()
