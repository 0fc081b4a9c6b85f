import copy
from typing import Any

import pytest

from batchtask_executor.jobs.environment import EXECUTOR, Executors

CONFIGURED = "LocalExecutor,batchtask:batchtask_executor.BatchTaskExecutor"
EXECUTORS = Executors(CONFIGURED, "batchtask")
TOLD = {"name": EXECUTOR, "value": CONFIGURED}
OTHER = {"name": "A", "value": "1"}


def ecs(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"ecsPropertiesOverride": {"taskProperties": [{"containers": list(containers)}]}}


def eks(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"eksPropertiesOverride": {"podProperties": {"containers": list(containers)}}}


@pytest.mark.parametrize(
    ("given", "container", "made"),
    [
        ({}, None, {"containerOverrides": {"environment": [TOLD]}}),
        (
            {"containerOverrides": {"environment": [OTHER]}},
            None,
            {"containerOverrides": {"environment": [OTHER, TOLD]}},
        ),
        (
            ecs({"name": "a"}, {"name": "b"}),
            None,
            ecs({"name": "a", "environment": [TOLD]}, {"name": "b"}),
        ),
        (
            ecs({"name": "a"}, {"name": "b"}),
            "b",
            ecs({"name": "a"}, {"name": "b", "environment": [TOLD]}),
        ),
        (eks({"name": "a", "env": [OTHER]}), "a", eks({"name": "a", "env": [OTHER, TOLD]})),
    ],
)
def test_the_container_with_the_workload_is_told(
    given: dict[str, Any], container: str | None, made: dict[str, Any]
) -> None:
    before = copy.deepcopy(given)

    assert EXECUTORS.put_into(given, container) == (made, ())
    assert given == before


@pytest.mark.parametrize("given", [ecs(), eks(), ecs({"name": "a"})])
def test_a_shape_without_that_container_is_left_to_the_controller(given: dict[str, Any]) -> None:
    assert EXECUTORS.put_into(given, "b") == (given, ())


@pytest.mark.parametrize("value", [CONFIGURED, "batchtask:some.Other"])
def test_a_users_own_value_stays(value: str) -> None:
    variable = {"name": EXECUTOR, "value": value}
    given: dict[str, Any] = {"containerOverrides": {"environment": [variable]}}

    assert EXECUTORS.put_into(given, None) == (given, ())


def test_a_users_own_value_without_the_name_is_told() -> None:
    variable = {"name": EXECUTOR, "value": "LocalExecutor"}
    given: dict[str, Any] = {"containerOverrides": {"environment": [variable]}}

    made, (note,) = EXECUTORS.put_into(given, None)

    assert made == given
    assert note == (
        "AIRFLOW__CORE__EXECUTOR is set to a value without 'batchtask' in the job's environment: "
        "a DAG that names this executor can't be parsed there; add it, or remove the variable"
    )
