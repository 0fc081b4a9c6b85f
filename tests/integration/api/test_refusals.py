"""A spec that doesn't fit is refused with the field's name, whoever sends it."""

import json
from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest

from batchtask_api import names
from integration.api.cluster import JOB, Kubectl, Tasks, a_task

pytestmark = [pytest.mark.integration, pytest.mark.envtest]

WRONG = [
    pytest.param(
        {"job": {**JOB, "jobQeue": "q"}}, 'unknown field "spec.job.jobQeue"', id="unknown"
    ),
    pytest.param(
        {"job": {**JOB, "containerOverrides": {"commands": ["x"]}}},
        'unknown field "spec.job.containerOverrides.commands"',
        id="unknown, deep",
    ),
    pytest.param(
        {"job": {**JOB, "jobName": "mine"}}, 'unknown field "spec.job.jobName"', id="the job's name"
    ),
    pytest.param({"canel": True}, 'unknown field "spec.canel"', id="unknown, ours"),
    pytest.param(
        {"job": {**JOB, "timeout": {"attemptDurationSeconds": "60"}}},
        "spec.job.timeout.attemptDurationSeconds in body must be of type integer",
        id="wrong type",
    ),
    pytest.param(
        {"job": {**JOB, "containerOverrides": {"command": "echo"}}},
        "spec.job.containerOverrides.command in body must be of type array",
        id="a string for a list",
    ),
    pytest.param({"priority": "high"}, "spec.priority", id="wrong type, ours"),
    pytest.param({"deletionPolicy": "Keep"}, 'supported values: "Terminate", "Retain"', id="enum"),
    pytest.param(
        {"job": {"jobDefinition": "d"}}, "spec.job.jobQueue: Required value", id="no queue"
    ),
    pytest.param(
        {"job": {"jobQueue": "q"}}, "spec.job.jobDefinition: Required value", id="no definition"
    ),
    pytest.param(
        {"job": {"jobQueue": None, "jobDefinition": "d"}}, "spec.job.jobQueue", id="a null queue"
    ),
    pytest.param({"job": None}, "spec.job", id="no job"),
    pytest.param({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished", id="below zero"),
    pytest.param({"ttlSecondsAfterFinished": 2**31}, "ttlSecondsAfterFinished", id="over 32 bits"),
]


@pytest.fixture
def client(tasks: Tasks) -> Iterator[kubernetes.client.CustomObjectsApi]:
    """The official client, as the executor uses it."""
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
        str(tasks.server.kubeconfig), client_configuration=configuration
    )
    with kubernetes.client.ApiClient(configuration) as link:
        yield kubernetes.client.CustomObjectsApi(link)


@pytest.mark.parametrize(("spec", "words"), WRONG)
def test_kubectl_apply_is_refused(
    spec: dict[str, Any], words: str, tasks: Tasks, kubectl: Kubectl
) -> None:
    refused = kubectl(
        "apply", "-n", tasks.namespace, "-f", "-", stdin=json.dumps(a_task("a", **spec))
    )

    assert refused.returncode == 1
    assert words in refused.stderr


@pytest.mark.parametrize(("spec", "words"), WRONG)
def test_the_python_client_is_refused_when_it_asks_for_strictness(
    spec: dict[str, Any],
    words: str,
    tasks: Tasks,
    client: kubernetes.client.CustomObjectsApi,
) -> None:
    with pytest.raises(kubernetes.client.ApiException) as refused:
        client.create_namespaced_custom_object(
            names.GROUP,
            names.VERSION,
            tasks.namespace,
            names.PLURAL,
            a_task("a", **spec),
            field_validation="Strict",
        )

    assert refused.value.status in {400, 422}
    assert words in json.loads(refused.value.body or "{}")["message"]


def test_without_strictness_an_unknown_field_vanishes(
    tasks: Tasks, client: kubernetes.client.CustomObjectsApi
) -> None:
    client.create_namespaced_custom_object(
        names.GROUP,
        names.VERSION,
        tasks.namespace,
        names.PLURAL,
        a_task("a", canel=True),
        field_validation="Ignore",
    )

    assert "canel" not in tasks.get("a")["spec"]
