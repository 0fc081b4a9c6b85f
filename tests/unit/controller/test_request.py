"""The SubmitJob request: its name, its command in every shape, its limits."""

import copy
import json
import re
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from batchtask_api import Reason, names
from batchtask_controller.batch import JobRequest
from batchtask_controller.request import (
    COMMAND,
    OVERRIDES_LIMIT,
    PAYLOAD_LIMIT,
    Invalid,
    job_name,
    job_name_prefix,
    job_request,
    validate,
)
from builders import JOB, WORKLOAD, a_task, a_uid, an_identity

AWS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
FULL = [*COMMAND, WORKLOAD]


def parameters(
    job: dict[str, Any], *, workload: str | None = WORKLOAD, container: str | None = None
) -> dict[str, Any]:
    """The parameters of a request for this spec.job."""
    task = a_task(job={**JOB, **job}, workload=workload is not None, container=container)
    return dict(job_request(task, 1, workload=workload, cluster_uid="cluster-uid").parameters)


def ecs(*containers: dict[str, Any]) -> dict[str, Any]:
    """A job of several ECS containers."""
    return {"ecsPropertiesOverride": {"taskProperties": [{"containers": [*containers]}]}}


def eks(*containers: dict[str, Any]) -> dict[str, Any]:
    """A job on EKS."""
    return {"eksPropertiesOverride": {"podProperties": {"containers": [*containers]}}}


# -- the name -------------------------------------------------------------------------------------


def test_the_name_tells_dag_task_uid_and_attempt() -> None:
    task = a_task(airflow=an_identity("sales", "load"))

    assert job_name(task, 3) == f"sales-load-{a_uid()}-3"


def test_a_task_without_airflow_is_called_by_its_own_name() -> None:
    assert job_name(a_task("hello"), 1) == f"hello-{a_uid()}-1"


IDS = st.text(min_size=1, max_size=250)


@given(dag_id=IDS, task_id=IDS, attempt=st.integers(1, 999_999_999))
def test_every_name_is_one_that_aws_takes(dag_id: str, task_id: str, attempt: int) -> None:
    name = job_name(a_task(airflow=an_identity(dag_id, task_id)), attempt)

    assert AWS_NAME.fullmatch(name)
    assert name == name.lower()


@given(dag_id=IDS, task_id=IDS)
def test_a_job_is_found_by_the_prefix_and_no_other_tasks_is(dag_id: str, task_id: str) -> None:
    task = a_task(airflow=an_identity(dag_id, task_id))
    other = a_task(uid=a_uid(2), airflow=an_identity(dag_id, task_id))

    prefix = job_name_prefix(task)

    assert job_name(task, 12).startswith(prefix)
    assert not job_name(other, 12).startswith(prefix)


@pytest.mark.parametrize(
    ("dag_id", "start"),
    [
        ("Größe", "gr-e-load-"),
        ("日本語", "x-load-"),
        ("_private", "private-load-"),
        ("a.b c", "a-b-c-load-"),
        ("d" * 60, "d" * 40 + "-load-"),
    ],
)
def test_a_name_stays_readable(dag_id: str, start: str) -> None:
    assert job_name_prefix(a_task(airflow=an_identity(dag_id))) == f"{start}{a_uid()}-"


# -- the command ----------------------------------------------------------------------------------


def test_a_plain_job_gets_the_workload_as_its_command() -> None:
    environment = [{"name": "A", "value": "1"}]

    found = parameters({"containerOverrides": {"environment": environment}})

    assert found["containerOverrides"] == {"environment": environment, "command": FULL}


def test_a_job_without_overrides_gets_the_workload_too() -> None:
    assert parameters({})["containerOverrides"] == {"command": FULL}


def test_of_several_ecs_containers_the_first_runs_the_workload() -> None:
    found = parameters(ecs({"name": "main"}, {"name": "sidecar", "command": ["serve"]}))

    assert found["ecsPropertiesOverride"]["taskProperties"][0]["containers"] == [
        {"name": "main", "command": FULL},
        {"name": "sidecar", "command": ["serve"]},
    ]
    assert "containerOverrides" not in found


def test_of_several_ecs_containers_the_named_one_runs_the_workload() -> None:
    found = parameters(
        ecs({"name": "proxy", "command": ["serve"]}, {"name": "main"}), container="main"
    )

    assert found["ecsPropertiesOverride"]["taskProperties"][0]["containers"] == [
        {"name": "proxy", "command": ["serve"]},
        {"name": "main", "command": FULL},
    ]


def test_on_eks_the_workload_is_the_args_so_that_the_entrypoint_stays() -> None:
    found = parameters(eks({"name": "sidecar"}, {"name": "main"}), container="main")

    assert found["eksPropertiesOverride"]["podProperties"]["containers"] == [
        {"name": "sidecar"},
        {"name": "main", "args": FULL},
    ]


@pytest.mark.parametrize(
    ("job", "container", "field"),
    [
        (
            {"containerOverrides": {"command": ["x"]}},
            None,
            "spec.job.containerOverrides has a command",
        ),
        (
            ecs({"name": "main", "command": ["x"]}),
            None,
            "spec.job.ecsPropertiesOverride.taskProperties[0].containers[0] has a command",
        ),
        (
            eks({"name": "main", "args": ["x"]}),
            None,
            "spec.job.eksPropertiesOverride.podProperties.containers[0] has a command",
        ),
        (
            eks({"name": "a"}, {"name": "main", "command": ["x"]}),
            "main",
            "spec.job.eksPropertiesOverride.podProperties.containers[1] has a command",
        ),
        (
            ecs({"name": "main"}),
            "airflow",
            "spec.job.ecsPropertiesOverride has no container named 'airflow'",
        ),
        (eks(), None, "spec.job.eksPropertiesOverride has no container: list the one"),
    ],
)
def test_a_shape_that_the_workload_does_not_fit_is_refused(
    job: dict[str, Any], container: str | None, field: str
) -> None:
    task = a_task(job={**JOB, **job}, workload=True, container=container)

    problem = validate(task)

    assert problem is not None
    assert problem.reason is Reason.INVALID_SPEC
    assert problem.message.startswith(field)


def test_a_command_of_the_users_own_is_sent_as_it_is() -> None:
    job = {"containerOverrides": {"command": ["echo", "hello"]}}

    found = parameters(job, workload=None)

    assert found["containerOverrides"] == {"command": ["echo", "hello"]}
    assert "retryStrategy" not in found


def test_a_job_with_a_workload_is_tried_once_unless_the_user_says_otherwise() -> None:
    theirs = {"attempts": 3, "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}]}

    assert parameters({})["retryStrategy"] == {"attempts": 1}
    assert parameters({"retryStrategy": theirs})["retryStrategy"] == theirs


def test_tags_say_whose_the_job_is_beside_the_users_own() -> None:
    found = parameters({"tags": {"team": "sales", names.TAG_TASK: "forged"}})

    assert found["tags"] == {
        "team": "sales",
        names.TAG_CLUSTER: "cluster-uid",
        names.TAG_TASK: a_uid(),
        names.TAG_NAMESPACE: names.DEFAULT_NAMESPACE,
    }


def test_the_task_itself_is_left_as_it_was() -> None:
    job = {**JOB, **ecs({"name": "main"}), "tags": {"team": "sales"}}
    task = a_task(job=job, workload=True)
    before = copy.deepcopy(task.to_json())

    job_request(task, 1, workload=WORKLOAD, cluster_uid="cluster-uid")

    assert task.to_json() == before


def test_neither_repr_nor_text_of_a_request_shows_the_workload() -> None:
    request = job_request(a_task(workload=True), 1, workload=WORKLOAD, cluster_uid="u")

    assert "a-token" not in f"{request!r} {request} {[request]}"
    assert "a-token" in json.dumps(request.parameters["containerOverrides"])


# -- the limits -----------------------------------------------------------------------------------


def _overrides_of(size: int) -> dict[str, Any]:
    frame = len(json.dumps({"command": [""]}))
    return {"containerOverrides": {"command": ["x" * (size - frame)]}}


def test_overrides_of_8192_characters_pass_and_one_more_is_refused() -> None:
    exact = a_task(job={**JOB, **_overrides_of(OVERRIDES_LIMIT)})
    over = a_task(job={**JOB, **_overrides_of(OVERRIDES_LIMIT + 1)})

    problem = validate(over)

    assert validate(exact) is None
    assert problem is not None
    assert problem.message == (
        "spec.job.containerOverrides has 8,193 characters with the command; AWS Batch takes at "
        "most 8,192; put long commands into the image or a file that the job reads"
    )


@pytest.mark.parametrize("shape", [{}, ecs({"name": "main"}), eks({"name": "main"})])
def test_the_workload_counts_in_every_shape(shape: dict[str, Any]) -> None:
    task = a_task(job={**JOB, **shape}, workload=True)

    with pytest.raises(Invalid, match="the Airflow workload is a part of it") as refused:
        job_request(task, 1, workload="x" * OVERRIDES_LIMIT, cluster_uid="u")

    assert "xxx" not in str(refused.value)


def test_a_request_over_30_kib_is_refused() -> None:
    task = a_task(job={**JOB, "parameters": {"text": "x" * PAYLOAD_LIMIT}})

    problem = validate(task)

    assert problem is not None
    assert "AWS Batch takes at most 30,720" in problem.message


# -- AWS's own model ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "4"}]}},
        ecs({"name": "main"}, {"name": "sidecar"}),
        eks({"name": "main"}),
        {"timeout": {"attemptDurationSeconds": 60}, "shareIdentifier": "a", "propagateTags": True},
    ],
)
@pytest.mark.parametrize("workload", [WORKLOAD, None])
def test_every_request_fits_aws_batchs_own_model(job: dict[str, Any], workload: str | None) -> None:
    shape = get_session().get_service_model("batch").operation_model("SubmitJob").input_shape
    assert shape is not None

    report = ParamValidator().validate(parameters(job, workload=workload), shape)

    assert report.generate_report() == ""


def test_the_request_is_named_as_its_job_is() -> None:
    request = job_request(a_task(), 2, workload=None, cluster_uid="u")

    assert isinstance(request, JobRequest)
    assert request.name == request.parameters["jobName"] == job_name(a_task(), 2)
