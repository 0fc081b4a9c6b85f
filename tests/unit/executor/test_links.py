import pytest

from batchtask_executor.view.links import JobArn, LogStream, job_link, log_link

ARN = "arn:{partition}:batch:{region}:123456789012:job/1a2b-3c"


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-west-1", "https://console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "https://console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "https://console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_its_console(partition: str, region: str, console: str) -> None:
    arn = ARN.format(partition=partition, region=region)

    assert job_link(arn) == f"{console}/batch/home?region={region}#jobs/detail/1a2b-3c"
    assert log_link(arn, LogStream("group", "stream")) == (
        f"{console}/cloudwatch/home?region={region}"
        "#logsV2:log-groups/log-group/group/log-events/stream"
    )


def test_names_are_written_as_the_console_writes_them() -> None:
    arn = ARN.format(partition="aws", region="us-east-1")

    found = log_link(arn, LogStream("/aws/batch/job", "a worker/default/[$LATEST]%1"))

    assert found is not None
    group, stream = found.partition("/log-group/")[2].split("/log-events/")
    assert group == "$252Faws$252Fbatch$252Fjob"
    assert stream == "a$2520worker$252Fdefault$252F$255B$2524LATEST$255D$25251"


def test_a_stream_in_another_region_than_the_job_is_shown_there() -> None:
    found = log_link(
        ARN.format(partition="aws", region="us-east-1"), LogStream("group", "stream", "eu-west-1")
    )

    assert found is not None
    assert found.startswith("https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#")


def test_a_child_of_an_array_keeps_its_index() -> None:
    found = job_link("arn:aws:batch:us-east-1:123456789012:job/1a2b:7")

    assert found is not None
    assert found.endswith("#jobs/detail/1a2b%3A7")


@pytest.mark.parametrize(
    "arn",
    [
        None,
        "",
        "1a2b",
        "arn:aws:batch:us-east-1:123456789012:job-queue/q",
        "arn:aws:ecs:us-east-1:123456789012:job/1a2b",
        "arn:aws-iso:batch:us-iso-east-1:123456789012:job/1a2b",
    ],
)
def test_what_has_no_console_has_no_link(arn: str | None) -> None:
    assert job_link(arn) is None
    assert log_link(arn, LogStream("group", "stream")) is None


def test_without_a_stream_there_is_no_link_to_one() -> None:
    assert log_link(ARN.format(partition="aws", region="us-east-1"), None) is None


def test_an_arn_is_taken_apart() -> None:
    arn = ARN.format(partition="aws-cn", region="cn-north-1")

    assert JobArn.parse(arn) == JobArn("aws-cn", "cn-north-1", "1a2b-3c")
