"""A DAG of the team red."""

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False)
def of_red() -> None:
    """Run on the team's default executor, to which Airflow gives no ids behind another default."""

    @task
    def once() -> None:
        print("done")  # noqa: T201 - shows in the task's log

    @task.sensor(poke_interval=1, timeout=600, mode="reschedule")
    def twice() -> bool:
        """Be queued again, with the id of the first time still in the row."""
        context = get_current_context()
        return context["ti"].get_first_reschedule_date(context) is not None

    once()
    twice()


of_red()
