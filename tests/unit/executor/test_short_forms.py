import copy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask_api import submit_job
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import BadJob, JobBuilder
from batchtask_executor.jobs.job_shape import Shape

SCHEMA = submit_job.schema()
QUEUE = {"job_queue": "analytics", "job_definition": "worker:7"}
ALL = {"cpu": 4, "memory": "8Gi", "gpu": 1, "env": {"A": "b"}, "timeout": 3600}


def builder(**options: Any) -> JobBuilder:
    return JobBuilder(Settings(**(QUEUE | options)), SCHEMA)


def job(config: object, queue: str = "default", **options: Any) -> dict[str, Any]:
    made = builder(**options).job(queue, config)
    return {key: of for key, of in made.parameters.items() if key not in ("jobQueue", "timeout")}


def refusal(config: object, **options: Any) -> str:
    with pytest.raises(BadJob) as caught:
        builder(**options).job("default", config)
    return str(caught.value)


def needs(**of: str) -> list[dict[str, str]]:
    return [{"type": kind, "value": value} for kind, value in of.items()]


def variable(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


IN_A_CONTAINER = {
    "resourceRequirements": needs(VCPU="4", MEMORY="8192", GPU="1"),
    "environment": [variable("A", "b")],
}
_OF_A_POD = {"cpu": "4", "memory": "8192Mi", "nvidia.com/gpu": "1"}
IN_A_POD = {
    "resources": {"limits": _OF_A_POD, "requests": _OF_A_POD},
    "env": [variable("A", "b")],
}


@pytest.mark.parametrize(
    ("options", "overrides"),
    [
        ({}, {"containerOverrides": IN_A_CONTAINER}),
        ({"shape": "container"}, {"containerOverrides": IN_A_CONTAINER}),
        (
            {"shape": "ecs", "container": "main"},
            {
                "ecsPropertiesOverride": {
                    "taskProperties": [{"containers": [{"name": "main"} | IN_A_CONTAINER]}]
                }
            },
        ),
        (
            {"shape": "eks", "container": "main"},
            {
                "eksPropertiesOverride": {
                    "podProperties": {"containers": [{"name": "main"} | IN_A_POD]}
                }
            },
        ),
    ],
)
def test_each_shape_says_the_short_forms_its_own_way(
    options: dict[str, Any], overrides: dict[str, Any]
) -> None:
    made = builder(**options).job("default", ALL)

    assert made.parameters == {
        "jobQueue": "analytics",
        "jobDefinition": "worker:7",
        "timeout": {"attemptDurationSeconds": 3600},
        **overrides,
    }


@pytest.mark.parametrize(
    ("given", "value"),
    [(4, "4"), (0.25, "0.25"), ("1.50", "1.5"), ("2", "2"), (1e2, "100"), ("0.1", "0.1")],
)
def test_cpu_is_any_number(given: object, value: str) -> None:
    assert job({"cpu": given})["containerOverrides"]["resourceRequirements"] == needs(VCPU=value)


@pytest.mark.parametrize(
    ("given", "value"),
    [(8192, "8192"), ("512", "512"), ("512Mi", "512"), ("1.5Gi", "1536"), ("1Ti", "1048576")],
)
def test_memory_is_mebibytes_or_has_a_unit(given: object, value: str) -> None:
    found = job({"memory": given})["containerOverrides"]["resourceRequirements"]
    assert found == needs(MEMORY=value)


@pytest.mark.parametrize("given", [3600, 3600.0, timedelta(hours=1)])
def test_a_timeout_is_seconds_or_a_timedelta(given: object) -> None:
    made = builder().job("default", {"timeout": given})

    assert made.parameters["timeout"] == {"attemptDurationSeconds": 3600}


def test_submit_jobs_own_timeout_is_still_its_own() -> None:
    made = builder().job("default", {"timeout": {"attempt_duration_seconds": 90}})

    assert made.parameters["timeout"] == {"attemptDurationSeconds": 90}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cpu": 0}, "executor_config.cpu must be a number of vCPUs, such as 4 or 0.25, not 0"),
        ({"cpu": -1}, "executor_config.cpu must be"),
        ({"cpu": True}, "executor_config.cpu must be"),
        ({"cpu": "many"}, "not 'many'"),
        ({"cpu": "nan"}, "executor_config.cpu must be"),
        ({"cpu": float("inf")}, "executor_config.cpu must be"),
        (
            {"cpu": None},
            "executor_config.cpu must be a number of vCPUs, such as 4 or 0.25, not nul",
        ),
        ({"cpu": 10**5000}, "executor_config.cpu must be"),
        ({"memory": "8GB"}, "executor_config.memory must be whole MiB, such as 8192, '8192Mi'"),
        ({"memory": "0.3Mi"}, "executor_config.memory must be whole MiB"),
        ({"memory": 10**5000}, "executor_config.memory must be whole MiB"),
        ({"memory": [8192]}, "not list"),
        ({"gpu": 0}, "executor_config.gpu must be 1 or more, not 0; leave it out for none"),
        ({"gpu": "1"}, "executor_config.gpu must be 1 or more"),
        ({"env": [variable("A", "b")]}, 'executor_config.env must be an object, such as {"NAME"'),
        ({"env": {"A": 1}}, "executor_config.env.A must be a string, not int; put it in quotes"),
        ({"env": {"A": None}}, "executor_config.env.A must be a string, not null"),
        ({"env": {1: "A"}}, "executor_config.env has a name that is no string"),
        ({"env": {"": "A"}}, "executor_config.env has a name that is no string, or empty"),
        ({"timeout": 59}, "executor_config.timeout must be whole seconds, 60 or more"),
        ({"timeout": timedelta(seconds=90.5)}, "executor_config.timeout must be whole seconds"),
        ({"timeout": "1h"}, "executor_config.timeout must be whole seconds"),
        ({"cpus": 4}, "executor_config.cpus is unknown; did you mean cpu?"),
        ({"memroy": 4}, "executor_config.memroy is unknown; did you mean memory?"),
    ],
)
def test_a_wrong_one_is_refused_by_its_name(config: dict[str, Any], words: str) -> None:
    assert words in refusal(config)


def test_a_variables_value_is_never_quoted() -> None:
    assert "hunter2" not in refusal({"env": {"PASSWORD": b"hunter2"}})
    assert "hunter2" not in refusal({"env": ["hunter2"]})


def test_variables_are_merged_by_name_over_the_configurations_whichever_way_they_are_put() -> None:
    of_section = {
        "env": {"A": "1", "B": "1"},
        "containerOverrides": {"environment": [variable("C", "1")]},
    }

    made = job({"env": {"B": "2", "C": "2"}}, submit_job_kwargs=of_section)

    assert made["containerOverrides"]["environment"] == [
        variable("A", "1"),
        variable("B", "2"),
        variable("C", "2"),
    ]


def test_a_tasks_short_form_goes_over_what_the_configuration_spells_out() -> None:
    of_section = {"containerOverrides": {"resourceRequirements": needs(VCPU="1", MEMORY="512")}}

    made = job({"cpu": 4}, submit_job_kwargs=of_section)

    assert made["containerOverrides"]["resourceRequirements"] == needs(VCPU="4", MEMORY="512")


def test_a_queue_of_another_shape_has_the_sections_short_forms_in_its_own() -> None:
    queues = {"pods": {"shape": "eks", "container": "main", "submit_job_kwargs": {"memory": 512}}}

    made = job({}, "pods", queues=queues, submit_job_kwargs={"cpu": 2, "env": {"A": "b"}})

    resources = {"cpu": "2", "memory": "512Mi"}
    assert made["eksPropertiesOverride"]["podProperties"]["containers"] == [
        {
            "name": "main",
            "resources": {"limits": resources, "requests": resources},
            "env": [variable("A", "b")],
        }
    ]
    assert "containerOverrides" not in made


def test_without_a_shape_the_overrides_that_are_given_tell_it() -> None:
    containers = [{"name": "main"}, {"name": "sidecar"}]
    ecs = {"ecsPropertiesOverride": {"taskProperties": [{"containers": containers}]}}

    made = job({"cpu": 2} | ecs)

    assert made["ecsPropertiesOverride"]["taskProperties"] == [
        {
            "containers": [
                {"name": "main", "resourceRequirements": needs(VCPU="2")},
                {"name": "sidecar"},
            ]
        }
    ]


@pytest.mark.parametrize("shape", [Shape.ECS, Shape.EKS])
def test_the_workload_has_a_container_to_go_to(shape: Shape) -> None:
    made = builder(shape=shape, container="main").job("default").parameters

    ((_, container),) = shape.containers(made)
    assert container == {"name": "main"}


@pytest.mark.parametrize(
    ("shape", "config", "words"),
    [
        (
            "eks",
            {"containerOverrides": {"environment": [variable("A", "b")]}},
            "containerOverrides is for job definitions with containerProperties, and jobs of Airfl",
        ),
        (
            None,
            {
                "containerOverrides": {"environment": [variable("A", "b")]},
                "ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "a"}]}]},
            },
            "have the shape ecs: use ecsPropertiesOverride",
        ),
    ],
)
def test_overrides_of_another_shape_are_refused(
    shape: str | None, config: dict[str, Any], words: str
) -> None:
    assert words in refusal(config, shape=shape)


@pytest.mark.parametrize("command", [[], None, ""])
def test_the_empty_command_of_aws_batch_executors_configuration_is_none(command: object) -> None:
    kwargs = {"containerOverrides": {"command": command}}

    assert "command" not in job({}, submit_job_kwargs=kwargs).get("containerOverrides", {})
    assert "containerOverrides" not in job({}, submit_job_kwargs=kwargs, shape="eks")


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*ALL, "containerOverrides"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.timedeltas()
        | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    ),
    st.sampled_from([None, *Shape]),
)
def test_nothing_that_is_given_is_changed_and_all_of_it_is_answered(
    config: dict[str, Any], shape: Shape | None
) -> None:
    before = copy.deepcopy(config)
    made = builder(submit_job_kwargs={"env": {"A": "1"}}, shape=shape)
    first = made.job("default").parameters

    try:
        words = str(made.job("default", config).parameters["jobQueue"])
    except BadJob as refused:
        words = str(refused)

    assert words
    assert repr(config) == repr(before)  # a nan is equal to none
    assert made.job("default").parameters == first
