"""An example DAG: XCom, mapped tasks with CPU and memory of their own, a branch and a retry."""

import datetime

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, tags=["batchtask"])
def batchtask_demo() -> None:
    """Square some numbers on AWS Batch, then take the branch that their sum asks for."""

    @task
    def numbers() -> list[int]:
        return [3, 5, 7]

    @task(executor_config={"cpu": 2, "memory": "4Gi"})
    def square(number: int) -> int:
        return number * number

    @task.branch
    def choose(squares: list[int]) -> str:
        return "large" if sum(squares) > 50 else "small"

    @task
    def large() -> None:
        print("the sum is large")  # noqa: T201 - shows in the task's log

    @task
    def small() -> None:
        print("the sum is small")  # noqa: T201 - shows in the task's log

    @task(retries=1, retry_delay=datetime.timedelta(seconds=1))
    def flaky() -> None:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("fails once, on purpose")

    choose(square.expand(number=numbers())) >> [large(), small()]  # type: ignore[arg-type]
    flaky()


batchtask_demo()
