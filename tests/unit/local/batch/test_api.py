from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from batchtask_local.batch.api import Answer, Api
from batchtask_local.batch.arns import Arns
from batchtask_local.batch.errors import ApiError
from batchtask_local.batch.faults import ErrorFault, Faults
from batchtask_local.batch.journal import Journal
from batchtask_local.batch.logs import LogStore
from batchtask_local.batch.model import Document
from batchtask_local.batch.operations import World
from batchtask_local.batch.protocol import HttpRequest
from batchtask_local.batch.tags import Tags
from unit.local.batch.lab import lab

SECRET = "s3cr3t"


class BrokenLogStore(LogStore):
    """Answers what AWS's model doesn't allow, with something that no log may hold."""

    def get_log_events(self, request: Document) -> Document:
        return {"events": SECRET}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.jsonl")
    yield journal
    journal.close()


@pytest.fixture
def api(tmp_path: Path, journal: Journal) -> Api:
    made = lab(main=1)
    world = World(
        arns=Arns(),
        tags=Tags(),
        places=made.places,
        definitions=made.definitions,
        store=made.store,
        engine=made.engine,
        logs=BrokenLogStore(tmp_path, made.clock.now),
        now=made.clock.now,
        visibility_lag=float,
    )
    return Api(world, journal, Faults(), timedelta(minutes=15))


def get_log_events(api: Api) -> Answer:
    request = HttpRequest(
        "POST",
        "/",
        "",
        "Logs_20140328.GetLogEvents",
        b'{"logGroupName": "/aws/batch/job", "logStreamName": "x"}',
    )
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/x",
        "X-Amz-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
    }
    return api.answer(request, headers)


def test_a_reply_that_the_model_does_not_allow_is_an_error_500_and_logged(
    api: Api, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    answer = get_log_events(api)

    assert answer.status == 500
    assert b"events" in answer.body
    assert "doesn't allow" in caplog.text
    assert [entry.outcome for entry in journal.entries()] == ["invalid reply"]


def test_neither_the_error_nor_the_log_repeats_a_value(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    answer = get_log_events(api)

    assert SECRET.encode() not in answer.body
    assert SECRET not in caplog.text


def test_an_operation_from_within_is_validated_too(api: Api) -> None:
    with pytest.raises(ApiError, match="computeEnvironmentName"):
        api.perform("CreateComputeEnvironment", {"type": "UNMANAGED"})


def test_faults_must_name_operations_that_there_are(api: Api) -> None:
    with pytest.raises(ValueError, match="Nothing"):
        api.gate_of(Faults(errors=(ErrorFault(operation="Nothing"),)))
