import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from batchtask_executor.jobs.tokens import NoToken, Queuing, minted, queuing
from fakes.airflow import execute_task
from fakes.executors import ExecutorOver
from fakes.tasks import FakeBatchTasks

DAY = timedelta(days=1)


@pytest.fixture
def idle() -> ExecutorOver:
    return ExecutorOver(FakeBatchTasks())


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_workloads_token_starts_this_task_for_as_long_as_asked(idle: ExecutorOver) -> None:
    workload = execute_task(idle)
    before = datetime.now(UTC).replace(microsecond=0)

    made = minted(workload, str(workload.ti.id), lambda: idle.jwt_generator, DAY)

    content = json.loads(made.content.get_secret_value())
    found = claims(content["token"])
    assert found["sub"] == str(workload.ti.id)
    assert found["scope"] == "workload"
    assert before + DAY <= made.expires <= datetime.now(UTC) + DAY
    assert found["exp"] == made.expires.timestamp()


def test_only_the_token_of_the_workload_is_changed(idle: ExecutorOver) -> None:
    workload = execute_task(idle, executor_config={"jobQueue": "q"})

    made = minted(workload, "x", lambda: idle.jwt_generator, DAY)

    content = json.loads(made.content.get_secret_value())
    expected = json.loads(workload.model_dump_json())
    assert content | {"token": ""} == expected | {"token": ""}
    assert content["token"] != workload.token


def test_neither_the_workload_nor_its_token_is_ever_shown(idle: ExecutorOver) -> None:
    made = minted(execute_task(idle), "x", lambda: idle.jwt_generator, DAY)

    assert "eyJ" not in f"{made!r} {made}"


def test_a_generator_that_fails_says_that_there_is_no_token_and_why(idle: ExecutorOver) -> None:
    workload = execute_task(idle)

    def unreadable() -> Any:
        raise PermissionError(13, f"Permission denied: {workload.token}", "/keys/jwt.pem")

    with pytest.raises(NoToken) as raised:
        minted(workload, "x", unreadable, DAY)

    assert "PermissionError" in str(raised.value)
    assert "/keys/jwt.pem" in str(raised.value)
    assert "eyJ" not in str(raised.value)


def test_a_queuing_is_the_id_of_the_schedulers_own_token(idle: ExecutorOver) -> None:
    workload = execute_task(idle)

    found = claims(workload.token)
    assert queuing(workload.token) == Queuing(
        found["jti"], datetime.fromtimestamp(found["iat"], tz=UTC)
    )


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "a.WzFd.c", "a.é.c"])
def test_a_token_without_an_id_gets_a_queuing_of_its_own(token: str) -> None:
    assert queuing(token).id
    assert queuing(token) != queuing(token)


@pytest.mark.parametrize(
    ("at", "queued_at", "is_since"),
    [
        (datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC), None, True),
        (None, datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC), True),
        (datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 5, 9, UTC), True),
        (datetime(2026, 1, 1, 12, 0, 6, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 5, 9, UTC), True),
        (datetime(2026, 1, 1, 12, 0, 4, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 5, 9, UTC), False),
    ],
)
def test_a_queuing_before_that_time_is_another(
    at: datetime | None, queued_at: datetime | None, is_since: bool
) -> None:
    assert Queuing("q", at).is_since(queued_at) is is_since
