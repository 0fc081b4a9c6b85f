import json
from typing import Any

import pytest

from batchtask_local.batch.container import resolve
from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.model import Shape

NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]
SINGLE = {
    "parameters": {"color": "red"},
    "containerProperties": {
        "image": "busybox",
        "command": ["paint", "Ref::color"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        "resourceRequirements": NEEDS,
    },
}
ECS = {
    "ecsProperties": {
        "taskProperties": [
            {
                "containers": [
                    {"name": "side", "image": "a", "resourceRequirements": NEEDS},
                    {"name": "work", "image": "b", "resourceRequirements": NEEDS},
                ]
            }
        ]
    }
}
EKS = {
    "eksProperties": {
        "podProperties": {
            "containers": [
                {
                    "name": "main",
                    "image": "a",
                    "command": ["/entry"],
                    "args": ["default"],
                    "env": [{"name": "A", "value": "1"}],
                    "resources": {"limits": {"cpu": "500m", "memory": "2Gi"}},
                }
            ]
        }
    }
}


def test_a_definitions_command_runs_with_its_default_parameters() -> None:
    container = resolve(SINGLE, {})

    assert container.shape is Shape.CONTAINER
    assert container.command == ("paint", "red")
    assert (container.millivcpus, container.memory_mib) == (1000, 512)


def test_overrides_replace_the_command_and_merge_the_rest() -> None:
    overrides = {
        "command": ["other"],
        "environment": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}],
    }

    container = resolve(SINGLE, {"containerOverrides": overrides})

    assert container.command == ("other",)
    assert container.environment == {"A": "1", "B": "2", "C": "3"}
    assert (container.millivcpus, container.memory_mib) == (250, 512)
    assert container.properties["image"] == "busybox"


def test_parameters_of_the_request_win_over_the_definitions() -> None:
    container = resolve(SINGLE, {"parameters": {"color": "blue"}})

    assert container.command == ("paint", "blue")


def test_a_reference_without_a_parameter_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        resolve(SINGLE, {"containerOverrides": {"command": ["Ref::size"]}})

    assert caught.value.message("") == (
        "Unable to substitute value. No parameter found for reference size"
    )


def test_a_word_that_only_contains_a_reference_stays() -> None:
    word = json.dumps({"text": "see Ref::size"})

    container = resolve(SINGLE, {"containerOverrides": {"command": [word]}})

    assert container.command == (word,)


def test_of_several_containers_the_overridden_one_runs() -> None:
    overrides = [{"name": "work", "command": ["go"]}]
    request = {"ecsPropertiesOverride": {"taskProperties": [{"containers": overrides}]}}

    container = resolve(ECS, request)

    assert (container.name, container.image, container.command) == ("work", "b", ("go",))
    assert container.millivcpus == 2000


def test_of_several_containers_the_first_runs_without_overrides() -> None:
    assert resolve(ECS, {}).name == "side"


def test_args_of_a_pod_keep_its_entrypoint() -> None:
    overrides = [{"name": "main", "args": ["mine"], "env": [{"name": "A", "value": "2"}]}]
    request = {"eksPropertiesOverride": {"podProperties": {"containers": overrides}}}

    container = resolve(EKS, request)

    assert container.command == ("/entry", "mine")
    assert container.environment == {"A": "2"}
    assert (container.millivcpus, container.memory_mib) == (500, 2048)


def test_variables_in_a_pods_args_are_expanded_as_kubernetes_does() -> None:
    overrides = [{"name": "main", "args": ["$(A)", "$$(A)", "$(NONE)", "$A"]}]
    request = {"eksPropertiesOverride": {"podProperties": {"containers": overrides}}}

    assert resolve(EKS, request).command == ("/entry", "1", "$(A)", "$(NONE)", "$A")


def test_a_pods_resources_can_be_overridden_one_by_one() -> None:
    overrides = [{"name": "main", "resources": {"limits": {"cpu": "2"}}}]
    request = {"eksPropertiesOverride": {"podProperties": {"containers": overrides}}}

    container = resolve(EKS, request)

    assert (container.millivcpus, container.memory_mib) == (2000, 2048)


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        EKS,
        {"containerOverrides": {"command": ["x"]}},
        "Container overrides or node overrides should not be set for Batch on EKS jobs.",
    ),
    (
        SINGLE,
        {"eksPropertiesOverride": {"podProperties": {"containers": [{}]}}},
        "eksPropertiesOverride should not be set for containerProperties jobs.",
    ),
    (
        ECS,
        {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "nobody"}]}]}},
        "Container nobody is not in the job definition",
    ),
    (
        SINGLE,
        {"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]}},
        "Environment variables cannot start with AWS_BATCH",
    ),
    (
        SINGLE,
        {"containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "many"}]}},
        "Resource requirements must be numbers",
    ),
    ({"containerProperties": {}, "eksProperties": {}}, {}, "Exactly one of"),
    ({"eksProperties": {"podProperties": {}}}, {}, "has no container"),
]


@pytest.mark.parametrize(("definition", "request_", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    definition: dict[str, Any], request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        resolve(definition, request_)

    assert caught.value.code == "ClientException"
    assert message in caught.value.message("id")


def test_the_overrides_length_is_that_of_their_compact_json() -> None:
    overrides = {"command": ["x" * 100]}

    container = resolve(SINGLE, {"containerOverrides": overrides})

    assert container.overrides_length == len('{"command":["') + 100 + len('"]}')


def test_without_overrides_there_is_no_length() -> None:
    assert resolve(SINGLE, {}).overrides_length == 0
