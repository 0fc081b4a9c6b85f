"""AwsBatch against an endpoint of our own: what leaves, what does not, and what each end means."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from batchtask_api import Reason
from batchtask_controller.aws import AwsBatch
from batchtask_controller.batch import (
    BatchError,
    Denied,
    JobRef,
    JobRequest,
    JobStatus,
    LogStream,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
)
from builders import JOB
from unit.controller.endpoint import Answer, Endpoint, endpoint, error_answer, json_answer

T = TypeVar("T")
TOKEN = "a-token-that-nobody-may-see"
REQUEST = JobRequest(
    "sales-load-1",
    {**JOB, "jobName": "sales-load-1", "containerOverrides": {"command": ["run", TOKEN]}},
)
JOB_ID = {"jobId": "job-1", "jobName": "sales-load-1", "jobArn": "arn:aws:batch:::job/job-1"}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run in real time: boto3 works in threads."""
    return asyncio.run(work)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials from the environment, and nothing of this machine's own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def there() -> Iterator[Endpoint]:
    with endpoint() as served:
        yield served


@pytest.fixture
def batch_at() -> Iterator[Callable[[str], AwsBatch]]:
    made: list[AwsBatch] = []

    def make(url: str, timeout_seconds: float = 5) -> AwsBatch:
        made.append(AwsBatch("us-east-1", url, timeout_seconds))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def batch(there: Endpoint, batch_at: Callable[[str], AwsBatch]) -> AwsBatch:
    return batch_at(there.url)


def submit(batch: AwsBatch) -> JobRef:
    """Submit, with nothing against it."""
    return run(batch.submit(REQUEST, lambda: True))


def failure_of(batch: AwsBatch) -> BatchError:
    """How a submission fails."""
    with pytest.raises(BatchError) as failed:
        submit(batch)
    assert TOKEN not in str(failed.value)
    return failed.value


# -- what leaves ----------------------------------------------------------------------------------


def test_a_submission_sends_the_request_as_it_is(batch: AwsBatch, there: Endpoint) -> None:
    there.answers.append(json_answer(JOB_ID))

    found = submit(batch)

    assert found == JobRef("job-1", "sales-load-1", "arn:aws:batch:::job/job-1")
    assert there.asked == [("/v1/submitjob", dict(REQUEST.parameters))]


def test_a_submission_that_is_called_off_sends_nothing(batch: AwsBatch, there: Endpoint) -> None:
    with pytest.raises(Unavailable, match="called off"):
        run(batch.submit(REQUEST, lambda: False))

    assert there.asked == []


def test_the_last_question_is_asked_after_the_credentials_are_there(
    batch_at: Callable[[str], AwsBatch], there: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    asked: list[bool] = []

    def may_send() -> bool:
        asked.append(True)
        return True

    with pytest.raises(Denied):
        run(batch_at(there.url).submit(REQUEST, may_send))

    assert asked == []
    assert there.asked == []


def test_other_calls_are_not_called_off(batch: AwsBatch, there: Endpoint) -> None:
    there.answers.append(json_answer({"jobs": []}))

    assert run(batch.describe(["job-1"])) == []


def test_each_of_many_submissions_has_its_own_last_question(
    batch: AwsBatch, there: Endpoint
) -> None:
    there.answers.extend([json_answer(JOB_ID)] * 20)

    async def all_of_them() -> list[object]:
        return await asyncio.gather(
            *(batch.submit(REQUEST, lambda even=number % 2 == 0: even) for number in range(40)),  # type: ignore[misc]
            return_exceptions=True,
        )

    found = run(all_of_them())

    assert len(there.asked) == 20
    assert [isinstance(each, JobRef) for each in found] == [n % 2 == 0 for n in range(40)]


@pytest.mark.parametrize("answer", [error_answer("ServerException", "oops", 500), Answer(503)])
def test_nothing_is_sent_twice(batch: AwsBatch, there: Endpoint, answer: Answer) -> None:
    there.answers.append(answer)

    failure_of(batch)

    assert len(there.asked) == 1


# -- what each end means --------------------------------------------------------------------------


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _half_an_answer(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"jobId": "jo')
    connection.shutdown(socket.SHUT_RDWR)


ANSWERS: list[tuple[Answer, type[BatchError], Reason]] = [
    (error_answer("ClientException", "bad request"), Rejected, Reason.INVALID_SPEC),
    (error_answer("ClientException", "JobQueue x not found."), NotFound, Reason.INVALID_SPEC),
    (
        error_answer("ClientException", "JobQueue x is in DISABLED state."),
        Unavailable,
        Reason.QUEUE_UNAVAILABLE,
    ),
    (
        error_answer("TooManyRequestsException", "Too Many Requests", 429),
        Throttled,
        Reason.THROTTLED,
    ),
    (error_answer("AccessDeniedException", "no right", 403), Denied, Reason.ACCESS_DENIED),
    (
        error_answer("ExpiredTokenException", "expired", 403),
        Denied,
        Reason.CREDENTIALS_REFUSED,
    ),
    (error_answer("ServerException", "oops", 500), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(502, b"<html>bad gateway"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(408), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(302), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(404, b"<html>a proxy's own"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(200, b"{}"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(200, b"no JSON"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(200, b"[]"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(200, b"null"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(200, b"\xff\xfe"), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(instead=_reset), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
    (Answer(instead=_half_an_answer), OutcomeUnknown, Reason.OUTCOME_UNKNOWN),
]


WITHOUT_AWS_WORD = [Answer(429, b"slow down"), Answer(403, b"<html>forbidden")]
"""A proxy may have passed the request on, and answer in AWS's place."""


@pytest.mark.parametrize("answer", WITHOUT_AWS_WORD)
def test_a_refusal_that_may_be_a_proxys_says_nothing_of_the_outcome(
    batch: AwsBatch, there: Endpoint, answer: Answer
) -> None:
    there.answers.append(answer)

    assert type(failure_of(batch)) is OutcomeUnknown


@pytest.mark.parametrize(("answer", "kind", "reason"), ANSWERS)
def test_each_answer_to_a_submission_has_its_meaning(
    batch: AwsBatch, there: Endpoint, answer: Answer, kind: type[BatchError], reason: Reason
) -> None:
    there.answers.append(answer)

    found = failure_of(batch)

    assert (type(found), found.reason) == (kind, reason)


@pytest.mark.parametrize("answer", [each for each, kind, _ in ANSWERS if kind is OutcomeUnknown])
def test_a_look_up_without_a_readable_answer_can_be_made_again(
    batch: AwsBatch, there: Endpoint, answer: Answer
) -> None:
    there.answers.extend([answer] * 2)

    for look_up in (batch.describe(["job-1"]), batch.find("sales-", "default")):
        with pytest.raises(Unavailable):
            run(look_up)


def test_no_answer_in_time_says_nothing_of_the_outcome(
    batch_at: Callable[..., AwsBatch], there: Endpoint
) -> None:
    there.answers.append(Answer(instead=lambda _: time.sleep(0.6)))

    found = failure_of(batch_at(there.url, 0.2))

    assert isinstance(found, OutcomeUnknown)


def test_where_nobody_listens_nothing_was_sent(batch_at: Callable[[str], AwsBatch]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = failure_of(batch_at(f"http://127.0.0.1:{taken.getsockname()[1]}"))

    assert isinstance(found, Unavailable)


def test_a_name_that_cannot_be_resolved_is_not_sent_to(
    batch_at: Callable[[str], AwsBatch],
) -> None:
    assert isinstance(failure_of(batch_at("http://batch.invalid")), Unavailable)


def test_retry_after_is_passed_on(batch: AwsBatch, there: Endpoint) -> None:
    there.answers.append(
        error_answer("TooManyRequestsException", "Too Many Requests", 429, retry_after="7")
    )
    there.answers.append(
        error_answer("TooManyRequestsException", "later", 429, retry_after="Fri, 31 Dec 1999")
    )

    first, second = failure_of(batch), failure_of(batch)

    assert isinstance(first, Throttled)
    assert isinstance(second, Throttled)
    assert (first.retry_after_seconds, second.retry_after_seconds) == (7.0, None)


# -- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def _garbage(connection: socket.socket) -> None:
    """A TLS record that can't be right, after the request was read."""
    raw = socket.socket(fileno=connection.detach())
    raw.sendall(b"\x17\x03\x03\x00\x10" + b"\x00" * 16)
    time.sleep(0.1)
    raw.close()


def _tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_connection_that_breaks_after_the_request_says_nothing_of_the_outcome(
    batch_at: Callable[[str], AwsBatch], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with endpoint(_tls(certificate)) as there:
        there.answers.append(Answer(instead=_garbage))

        found = failure_of(batch_at(there.url))

    assert isinstance(found, OutcomeUnknown)
    assert len(there.asked) == 1


def test_a_server_that_is_not_trusted_gets_nothing(
    batch_at: Callable[[str], AwsBatch], certificate: Path
) -> None:
    with endpoint(_tls(certificate)) as there:
        found = failure_of(batch_at(there.url))

    assert isinstance(found, Unavailable)
    assert there.asked == []


# -- credentials and region -----------------------------------------------------------------------


@pytest.mark.parametrize("missing", [["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]])
def test_without_credentials_every_call_is_denied_and_the_start_is_not(
    batch_at: Callable[[str], AwsBatch],
    there: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    missing: list[str],
) -> None:
    for name in missing:
        monkeypatch.delenv(name)
    batch = batch_at(there.url)

    found = failure_of(batch)

    assert (type(found), found.reason) == (Denied, Reason.CREDENTIALS_REFUSED)
    assert run(batch.locate()) == (None, "us-east-1")
    assert there.asked == []


def test_half_of_the_credentials_are_none(
    batch_at: Callable[[str], AwsBatch],
    there: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    batch = batch_at(there.url)

    assert run(batch.locate()) == (None, "us-east-1")
    assert isinstance(failure_of(batch), Denied)
    assert "AWS_SECRET_ACCESS_KEY" in caplog.text


def test_credentials_that_come_later_are_found(
    batch_at: Callable[[str], AwsBatch],
    there: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    batch = batch_at(there.url)
    assert isinstance(failure_of(batch), Denied)

    text = "[default]\naws_access_key_id = AKIALATE\naws_secret_access_key = secret\n"
    (tmp_path / "credentials").write_text(text)
    there.answers.append(json_answer(JOB_ID))

    assert submit(batch).id == "job-1"


def test_credentials_that_were_replaced_are_read_anew_but_not_all_the_time(
    batch: AwsBatch, there: Endpoint
) -> None:
    expired = error_answer("ExpiredTokenException", "expired", 403)
    there.answers.extend([expired] * 3)
    first = batch._client

    failure_of(batch)
    failure_of(batch)
    second = batch._client
    failure_of(batch)

    assert second is not None
    assert second is not first
    assert batch._client is second


def test_the_account_is_told_where_the_credentials_do(
    batch_at: Callable[[str], AwsBatch], there: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", "123456789012")

    assert run(batch_at(there.url).locate()) == ("123456789012", "us-east-1")


IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ci</Arn><UserId>AIDA</UserId>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


def test_an_account_that_the_credentials_do_not_tell_is_asked_of_sts(
    batch_at: Callable[[str], AwsBatch], there: Endpoint
) -> None:
    there.answers.append(Answer(200, IDENTITY))

    assert run(batch_at(there.url).locate()) == ("123456789012", "us-east-1")


def test_an_account_that_nobody_tells_is_not_known_and_stops_nothing(
    batch_at: Callable[[str], AwsBatch], there: Endpoint
) -> None:
    there.answers.append(Answer(403, b"<html>forbidden"))

    assert run(batch_at(there.url).locate()) == (None, "us-east-1")


def test_new_credentials_of_another_account_are_not_used(
    batch_at: Callable[[str], AwsBatch], there: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", "123456789012")
    batch = batch_at(there.url)
    run(batch.locate())
    there.answers.append(error_answer("ExpiredTokenException", "expired", 403))
    failure_of(batch)
    asked = len(there.asked)

    monkeypatch.setenv("AWS_ACCOUNT_ID", "999999999999")
    found = failure_of(batch)
    assert (type(found), found.reason) == (Denied, Reason.CREDENTIALS_REFUSED)
    assert "999999999999" in str(found)
    assert len(there.asked) == asked

    monkeypatch.setenv("AWS_ACCOUNT_ID", "123456789012")
    there.answers.append(json_answer(JOB_ID))
    assert submit(batch).id == "job-1"


STS_ERROR = b"""<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code>
<Message>the identity token is not valid</Message></Error></ErrorResponse>"""


@pytest.mark.parametrize(
    ("code", "status"),
    [(b"InvalidIdentityToken", 400), (b"IDPCommunicationError", 400), (b"AccessDenied", 403)],
)
def test_a_role_that_cannot_be_assumed_is_a_matter_of_credentials_and_not_of_the_task(
    batch_at: Callable[[str], AwsBatch],
    there: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    code: bytes,
    status: int,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "token").write_text("an identity token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/batchtask")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    with endpoint() as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        sts.answers.extend([Answer(status, STS_ERROR % code)] * 20)
        batch = batch_at(there.url)

        found = failure_of(batch)
        located = run(batch.locate())

    assert (type(found), found.reason) == (Denied, Reason.CREDENTIALS_REFUSED)
    assert "AssumeRoleWithWebIdentity" in str(found)
    assert located == (None, "us-east-1")
    assert there.asked == []


def test_a_missing_region_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ValueError, match="BATCHTASK_AWS_REGION"):
        AwsBatch(None, None, 5)


def test_a_missing_profile_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(ValueError, match="nobody"):
        AwsBatch("us-east-1", None, 5)


def test_an_address_that_is_none_is_said_in_words() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        AwsBatch("us-east-1", "nonsense", 5)


# -- what is read ---------------------------------------------------------------------------------


def test_all_pages_of_a_look_up_are_read_and_the_earliest_job_stands_first(
    batch: AwsBatch, there: Endpoint
) -> None:
    def entry(number: int) -> dict[str, Any]:
        return {"jobId": f"job-{number}", "jobName": f"sales-{number}", "createdAt": 1000 * number}

    there.answers.append(json_answer({"jobSummaryList": [entry(3), entry(2)], "nextToken": "n"}))
    there.answers.append(json_answer({"jobSummaryList": [entry(1)]}))

    found = run(batch.find("sales-", "default"))

    assert [each.id for each in found.jobs] == ["job-1", "job-2", "job-3"]
    assert abs((dt.datetime.now(dt.UTC) - found.as_of).total_seconds()) < 60
    path, body = there.asked[0]
    assert path == "/v1/listjobs"
    assert body["filters"] == [{"name": "JOB_NAME", "values": ["sales-*"]}]
    assert body["jobQueue"] == "default"
    assert there.asked[1][1]["nextToken"] == "n"


@pytest.mark.parametrize(
    ("answer", "kind"), list(zip(WITHOUT_AWS_WORD, (Throttled, Denied), strict=True))
)
def test_what_changes_nothing_may_be_answered_by_a_proxy(
    batch: AwsBatch, there: Endpoint, answer: Answer, kind: type[BatchError]
) -> None:
    there.answers.append(answer)

    with pytest.raises(kind):
        run(batch.find("sales-", "default"))


def test_a_termination_says_why_in_no_more_words_than_aws_takes(
    batch: AwsBatch, there: Endpoint
) -> None:
    run(batch.terminate("job-1", "x" * 5000))

    assert there.asked == [("/v1/terminatejob", {"jobId": "job-1", "reason": "x" * 1024})]


# -- lists, queues, tags, logs --------------------------------------------------------------------


def test_the_next_part_of_a_list_is_asked_for_by_its_token(
    batch: AwsBatch, there: Endpoint
) -> None:
    there.answers.append(json_answer({"jobSummaryList": [JOB_ID], "nextToken": "more"}))
    there.answers.append(json_answer({"jobSummaryList": []}))

    first = run(batch.list_jobs("default", JobStatus.RUNNING))
    last = run(batch.list_jobs("default", JobStatus.RUNNING, first.next_token))

    asked = {"jobQueue": "default", "jobStatus": "RUNNING", "maxResults": 1000}
    assert there.asked == [
        ("/v1/listjobs", asked),
        ("/v1/listjobs", {**asked, "nextToken": "more"}),
    ]
    assert [job.id for job in first.jobs] == ["job-1"]
    assert (list(last.jobs), last.next_token) == ([], None)


def test_a_queue_without_a_snapshot_yet_has_no_front(batch: AwsBatch, there: Endpoint) -> None:
    there.answers.append(json_answer({}))

    assert list(run(batch.snapshot("default"))) == []


@pytest.mark.parametrize(
    ("stream", "group", "region"),
    [
        (LogStream("w/d/1"), "/aws/batch/job", "us-east-1"),
        (LogStream("w/d/1", "/own", "eu-west-1"), "/own", "eu-west-1"),
    ],
    ids=["the default", "its own"],
)
def test_a_log_is_read_where_it_is(
    batch: AwsBatch, there: Endpoint, stream: LogStream, group: str, region: str
) -> None:
    there.answers.append(json_answer({"events": [{"message": "Killed"}]}))

    found = run(batch.log_tail(stream))

    assert list(found) == ["Killed"]
    ((_, asked),) = there.asked
    assert (asked["logGroupName"], asked["logStreamName"]) == (group, "w/d/1")
    assert there.regions == [region]


@pytest.mark.parametrize(
    "call",
    [
        lambda batch: batch.list_jobs("default", JobStatus.RUNNING),
        lambda batch: batch.snapshot("default"),
        lambda batch: batch.tag("arn:aws:batch:::job/job-1", {"a": "b"}),
        lambda batch: batch.log_tail(LogStream("worker/default/1")),
    ],
    ids=["list_jobs", "snapshot", "tag", "log_tail"],
)
def test_a_missing_right_is_told_by_each(
    batch: AwsBatch, there: Endpoint, call: Callable[[AwsBatch], Coroutine[Any, Any, object]]
) -> None:
    there.answers.append(error_answer("AccessDeniedException", "is not authorized", 403))

    with pytest.raises(Denied, match="not authorized") as failed:
        run(call(batch))

    assert failed.value.reason is Reason.ACCESS_DENIED
