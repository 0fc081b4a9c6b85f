from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask_api import submit_job
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import BadJob, JobBuilder

SCHEMA = submit_job.schema()
QUEUE = {"job_queue": "analytics", "job_definition": "worker:7"}


def builder(**options: Any) -> JobBuilder:
    return JobBuilder(Settings(**(QUEUE | options)), SCHEMA)


def refusal(config: object, **options: Any) -> str:
    with pytest.raises(BadJob) as caught:
        builder(**options).job("default", config)
    return str(caught.value)


def test_the_single_options_make_a_job() -> None:
    job = builder(container="main").job("default")

    assert job.parameters == {"jobQueue": "analytics", "jobDefinition": "worker:7"}
    assert job.container == "main"
    assert job.notes == ()


def test_submit_job_kwargs_go_over_the_single_options() -> None:
    kwargs = {"job_definition": "worker:8", "tags": {"team_name": "data"}}

    job = builder(submit_job_kwargs=kwargs).job("default")

    assert job.parameters == {
        "jobQueue": "analytics",
        "jobDefinition": "worker:8",
        "tags": {"team_name": "data"},
    }


def test_a_queue_goes_over_the_section_and_executor_config_over_both() -> None:
    of_section = {"containerOverrides": {"environment": [variable("A", "1"), variable("B", "1")]}}
    of_queue = {"containerOverrides": {"environment": [variable("B", "2"), variable("C", "2")]}}
    queues = {"gpu": {"job_queue": "gpu", "container": "cuda", "submit_job_kwargs": of_queue}}
    own = {"container_overrides": {"environment": [variable("C", "3")]}}

    job = builder(submit_job_kwargs=of_section, queues=queues).job("gpu", own)

    assert job.container == "cuda"
    assert job.parameters == {
        "jobQueue": "gpu",
        "jobDefinition": "worker:7",
        "containerOverrides": {
            "environment": [variable("A", "1"), variable("B", "2"), variable("C", "3")]
        },
    }


def test_a_queue_that_is_not_mapped_gets_the_section() -> None:
    made = builder(queues={"gpu": {"job_queue": "gpu"}}, container="main")

    assert made.job("other").parameters["jobQueue"] == "analytics"
    assert made.job("gpu").container == "main"


@pytest.mark.parametrize("key", ["jobName", "job_name", "JobName"])
def test_a_job_name_is_dropped_with_a_note(key: str) -> None:
    job = builder().job("default", {key: "mine"})

    assert "jobName" not in job.parameters
    (note,) = job.notes
    assert note.startswith("executor_config: the job's name was dropped: the controller finds")


def test_job_names_in_the_configuration_are_noted_once_each() -> None:
    named = {"jobName": "mine"}

    made = builder(submit_job_kwargs=named, queues={"gpu": {"submit_job_kwargs": named}})

    assert [note.split(":")[0] for note in made.notes] == [
        "[batchtask_executor] submit_job_kwargs",
        "[batchtask_executor] queues.gpu.submit_job_kwargs",
    ]
    assert made.job("gpu").notes == ()


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"command": ["ls"]}, "executor_config.command"),
        ({"containerOverrides": {"command": ["ls"]}}, "containerOverrides.command"),
        ({"container_overrides": {"command": ["ls"]}}, "containerOverrides.command"),
        (
            {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"command": ["ls"]}]}]}},
            "ecsPropertiesOverride.taskProperties[0].containers[0].command",
        ),
        (
            {"eksPropertiesOverride": {"podProperties": {"containers": [{}, {"args": ["ls"]}]}}},
            "eksPropertiesOverride.podProperties.containers[0].args",
        ),
        (
            {"eksPropertiesOverride": {"podProperties": {"containers": [{"command": ["ls"]}]}}},
            "eksPropertiesOverride.podProperties.containers[0].command",
        ),
    ],
)
def test_a_command_beside_the_workload_is_refused(config: object, path: str) -> None:
    assert refusal(config) == f"{path} is the Airflow workload's own place; remove it"


@pytest.mark.parametrize(("container", "sidecar"), [(None, "last"), ("last", "first")])
def test_only_the_workloads_container_must_have_no_command(
    container: str | None, sidecar: str
) -> None:
    def with_command_in(name: str) -> dict[str, object]:
        both = [{"name": "first"}, {"name": "last"}]
        containers = [one | ({"command": ["ls"]} if one["name"] == name else {}) for one in both]
        return {"ecsPropertiesOverride": {"taskProperties": [{"containers": containers}]}}

    made = builder(container=container)
    other = "first" if sidecar == "last" else "last"

    assert made.job("default", with_command_in(sidecar)).container == container
    assert "remove it" in refusal(with_command_in(other), container=container)


def test_an_init_container_may_have_its_own_command() -> None:
    pod = {"initContainers": [{"name": "init", "command": ["ls"]}]}

    job = builder().job("default", {"eksPropertiesOverride": {"podProperties": pod}})

    assert job.parameters["eksPropertiesOverride"] == {"podProperties": pod | {"containers": [{}]}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"arrayProperties": {"size": 3}}, "use Airflow's mapped tasks"),
        ({"nodeOverrides": {"numNodes": 2}}, "each node would start the same Airflow task"),
        (
            {"containerOverrides": {"resourceRequirements": [{"type": "VCPU"}]}},
            "containerOverrides.resourceRequirements[0].value is missing",
        ),
        ({"jobQueue": ""}, "no jobQueue for Airflow's queue 'default': set [batchtask_executor]"),
        ("cpu=4", "executor_config must be an object, not str"),
    ],
)
def test_what_makes_no_job_is_refused_with_the_way_out(config: object, words: str) -> None:
    assert words in refusal(config)


@pytest.mark.parametrize(
    ("option", "field"), [("job_queue", "jobQueue"), ("job_definition", "jobDefinition")]
)
def test_what_nothing_says_is_asked_for_by_its_options_name(option: str, field: str) -> None:
    message = refusal({}, **{option: None})

    assert message.startswith(f"no {field} for Airflow's queue 'default'")
    assert f"[batchtask_executor] {option}" in message


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"submit_job_kwargs": {"jobQeue": "q"}}, "[batchtask_executor] submit_job_kwargs.jobQeue"),
        (
            {"queues": {"gpu": {"submit_job_kwargs": {"timeout": 5}}}},
            "[batchtask_executor] queues.gpu.submit_job_kwargs.timeout",
        ),
        (
            {"submit_job_kwargs": {"command": ["ls"]}},
            "[batchtask_executor] submit_job_kwargs.command",
        ),
    ],
)
def test_a_bad_option_is_found_at_the_start(options: dict[str, Any], path: str) -> None:
    with pytest.raises(BadJob, match=rf"^{path.replace('[', chr(92) + '[')}"):
        builder(**options)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just(object()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(["command", "name"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(values, st.dictionaries(st.sampled_from([*SCHEMA["properties"], "jobName"]), values))
)
def test_no_executor_config_does_anything_but_make_a_job_or_a_readable_refusal(value: Any) -> None:
    try:
        words: object = builder().job("default", value).parameters["jobQueue"]
    except BadJob as refused:
        words = str(refused)

    assert words


def variable(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}
