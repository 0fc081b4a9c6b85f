"""DAGs for what no example shows: which these are depends on Airflow's version."""

import datetime

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False)
def matrix_rescheduled() -> None:
    """Wait in the scheduler, not in a process, until five seconds have passed.

    It is queued again late enough for Airflow to have taken in LocalExecutor's word on its first
    job: told later, Airflow fails the good task.
    """

    @task.sensor(poke_interval=15, timeout=600, mode="reschedule")
    def wait() -> bool:
        ti = get_current_context()["ti"]
        begun = ti.get_first_reschedule_date(get_current_context())
        now = datetime.datetime.now(tz=datetime.UTC)
        return begun is not None and now - begun > datetime.timedelta(seconds=5)

    wait()


@dag(schedule=None, catchup=False)
def matrix_retried() -> None:
    """Fail at the first try."""

    @task(retries=1, retry_delay=datetime.timedelta(seconds=1))
    def fail_once() -> None:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("fails once, on purpose")

    fail_once()


matrix_rescheduled()
matrix_retried()
