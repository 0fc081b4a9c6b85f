from collections.abc import Iterator

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, StructureShape

from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.protocol import HttpRequest, Protocol, UnknownOperationError

PROTOCOL = Protocol()
MODEL = ServiceModel(Loader().load_service_model("batch", "service-2"), "batch")


def post(path: str, body: bytes = b"", target: str | None = None) -> HttpRequest:
    return HttpRequest("POST", path, "", target, body)


def parse(request: HttpRequest) -> dict[str, object]:
    return PROTOCOL.parse(PROTOCOL.operation(request), request)


def batch_operations() -> Iterator[tuple[str, str, str]]:
    for name in MODEL.operation_names:
        http = MODEL.operation_model(name).http
        yield name, http["method"], http["requestUri"].replace("{resourceArn}", "arn%3Aaws")


@pytest.mark.parametrize(("name", "method", "path"), list(batch_operations()))
def test_every_operation_of_the_model_has_its_route(name: str, method: str, path: str) -> None:
    assert PROTOCOL.operation(HttpRequest(method, path, "", None, b"")).name == name


def test_logs_operations_are_named_by_a_header() -> None:
    request = post("/", target="Logs_20140328.GetLogEvents")

    assert PROTOCOL.operation(request).name == "GetLogEvents"


@pytest.mark.parametrize(
    "request_",
    [post("/v1/nothing"), post("/", target="Logs_20140328.Nothing"), post("/", target="S3.Get")],
)
def test_an_unknown_operation_is_refused(request_: HttpRequest) -> None:
    with pytest.raises(UnknownOperationError):
        PROTOCOL.operation(request_)


def test_members_in_the_path_and_the_query_are_found() -> None:
    path = "/v1/tags/arn%3Aaws%3Abatch%3Aus-east-1%3A1%3Ajob-queue%2Fq"
    request = HttpRequest("DELETE", path, "tagKeys=a&tagKeys=b%20c", None, b"")

    assert parse(request) == {
        "resourceArn": "arn:aws:batch:us-east-1:1:job-queue/q",
        "tagKeys": ["a", "b c"],
    }


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"jobs": ["a"], "job": 1}', "job"),
        (b"{}", "jobs"),
        (b'{"jobs": "a"}', "jobs"),
        (b'{"jobs": [1]}', "jobs"),
    ],
)
def test_what_the_model_does_not_allow_is_refused_by_name(body: bytes, named: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(post("/v1/describejobs", body))

    assert caught.value.code == "ClientException"
    assert named in caught.value.message("")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
def test_what_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse(post("/v1/describejobs", body))

    assert caught.value.code == "SerializationException"


def test_a_refusal_never_repeats_a_value() -> None:
    body = b'{"jobName": {"token": "s3cr3t, type: x"}, "jobQueue": "q", "jobDefinition": "d"}'

    with pytest.raises(ApiError) as caught:
        parse(post("/v1/submitjob", body))

    assert "s3cr3t" not in str(caught.value)
    assert "jobName" in str(caught.value)


def members(shape: str) -> set[str]:
    found = MODEL.shape_for(shape)
    assert isinstance(found, StructureShape)
    return set(found.members)


@pytest.mark.parametrize(
    ("registered", "described"),
    [
        ("ContainerProperties", "ContainerDetail"),
        ("EcsTaskProperties", "EcsTaskDetails"),
        ("TaskContainerProperties", "TaskContainerDetails"),
        ("EksPodProperties", "EksPodPropertiesDetail"),
        ("EksContainer", "EksContainerDetail"),
        ("RegisterJobDefinitionRequest", "JobDefinition"),
        ("CreateComputeEnvironmentRequest", "ComputeEnvironmentDetail"),
        ("CreateJobQueueRequest", "JobQueueDetail"),
    ],
)
def test_what_was_asked_for_can_be_shown_as_it_was(registered: str, described: str) -> None:
    assert members(registered) <= members(described)
