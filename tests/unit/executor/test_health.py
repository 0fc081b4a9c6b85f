import copy
from typing import Any

import pytest

from batchtask_api import submit_job
from batchtask_api.crd import task_schema
from batchtask_executor.checks.health import RIGHTS, Right, examine
from batchtask_executor.cluster.tasks import Unavailable
from batchtask_executor.config import Settings
from fakes.premises import FakePremises


def told(premises: FakePremises, **settings: Any) -> str:
    return "\n".join(examine(premises, Settings(**settings)))


def test_where_all_is_well_nothing_is_said() -> None:
    assert told(FakePremises()) == ""


def test_a_crd_that_is_not_there_is_named() -> None:
    assert "install the CRD (manifests/crd.yaml" in told(FakePremises(kind=None))


def test_a_crd_of_an_earlier_version_is_named_by_what_it_lacks() -> None:
    earlier = copy.deepcopy(task_schema(submit_job.schema()))
    spec = earlier["properties"]["spec"]["properties"]
    del spec["priority"]
    del spec["workload"]["properties"]["container"]

    words = told(FakePremises(kind=earlier))

    assert "it lacks spec.priority, spec.workload.container; install the CRD" in words


def test_a_crd_of_a_later_version_serves() -> None:
    later = copy.deepcopy(task_schema(submit_job.schema()))
    later["properties"]["spec"]["properties"]["novelty"] = {"type": "string"}

    assert told(FakePremises(kind=later)) == ""


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_each_right_that_is_missing_is_named(right: Right) -> None:
    words = told(FakePremises(denied=frozenset({right})))

    assert words.startswith(f"this account may not {right} in namespace airflow-tasks")


def test_the_rights_are_those_of_the_executors_role() -> None:
    assert {str(right) for right in RIGHTS} == {
        *(f"{verb} batchtasks.batchtask.dev" for verb in ("create", "get", "list", "watch")),
        "patch batchtasks.batchtask.dev",
        *("create secrets", "patch secrets"),
        *("get configmaps", "create configmaps", "patch configmaps"),
    }


def test_without_any_right_both_reasons_are_told() -> None:
    words = told(FakePremises(denied=frozenset(RIGHTS)), namespace="tasks")

    assert "none of the rights that it needs in namespace tasks: create the namespace" in words
    assert "manifests/rbac.yaml" in words


def test_a_namespace_that_is_not_there_is_named_and_its_rights_are_not() -> None:
    words = told(FakePremises(namespace_is_there=False), namespace="tasks")

    assert words == "namespace tasks isn't there: create it, or set [batchtask_executor] namespace"


def test_an_api_server_that_does_not_answer_is_what_is_wrong() -> None:
    assert told(FakePremises(down=Unavailable("no answer from https://x"))) == (
        "no answer from https://x"
    )
