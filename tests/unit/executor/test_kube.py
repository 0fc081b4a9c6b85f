"""Replies that a healthy API server doesn't give when a test wants them."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from batchtask_api import AirflowIdentity, BatchTask
from batchtask_executor.cluster.kube import KubeBatchTasks
from batchtask_executor.cluster.manifest import Identity, batch_task, workload_secret
from batchtask_executor.cluster.tasks import (
    Bookmark,
    Conflict,
    Gone,
    Refused,
    Seen,
    TasksError,
    Unavailable,
)
from batchtask_executor.config import Settings
from batchtask_executor.jobs.job import Job
from batchtask_executor.jobs.tokens import Queuing
from fakes.http_server import Reply, ScriptedServer, hanging_server, write_kubeconfig

AIRFLOW = AirflowIdentity(dag_id="etl", task_id="load", run_id="r", try_number=1)
Connect = Callable[..., tuple[KubeBatchTasks, ScriptedServer]]


def body(name: str = "bt-1", version: str = "7", phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "tasks", "uid": "u", "resourceVersion": version},
        "spec": {"job": {"jobQueue": "q", "jobDefinition": "d"}},
        "status": {"phase": phase},
    }


def draft(job: Any = None) -> BatchTask:
    identity = Identity("1", Queuing("q"), AIRFLOW)
    parameters = job or {"jobQueue": "q", "jobDefinition": "d"}
    return batch_task(identity, Job(parameters), namespace="tasks", instance="prod", priority=0)


def lines(*events: tuple[str, Any]) -> bytes:
    return b"".join(
        json.dumps({"type": kind, "object": of}).encode() + b"\n" for kind, of in events
    )


def settings_for(url: str, folder: Path) -> Settings:
    file = write_kubeconfig(folder / "kubeconfig", url)
    return Settings(namespace="tasks", instance="prod", in_cluster=False, config_file=str(file))


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    servers: list[ScriptedServer] = []

    def connect(*replies: Reply, login: str = "") -> tuple[KubeBatchTasks, ScriptedServer]:
        server = ScriptedServer(*replies).__enter__()
        servers.append(server)
        url = server.url.replace("//", f"//{login}")
        return KubeBatchTasks(settings_for(url, tmp_path)), server

    yield connect
    for server in servers:
        server.__exit__(None, None, None)


def test_a_task_is_created_strictly_and_with_our_credentials(connect: Connect) -> None:
    tasks, server = connect(Reply(201, body()))

    tasks.create(draft())

    (request,) = server.requests
    assert request.path == "/apis/batchtask.dev/v1alpha1/namespaces/tasks/batchtasks"
    assert request.query["fieldValidation"] == "Strict"
    assert request.headers["authorization"] == "Bearer letmein"
    sent = json.loads(request.body)
    assert sent["kind"] == "BatchTask"
    assert "status" not in sent


def test_the_login_in_an_address_is_not_told(connect: Connect) -> None:
    tasks, server = connect(login="me:secret@")
    server.__exit__(None, None, None)

    with pytest.raises(Unavailable) as raised:
        tasks.list()

    assert "no answer from http://***@127.0.0.1" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_list_is_read_page_by_page(connect: Connect) -> None:
    tasks, server = connect(
        Reply(
            200, {"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [body("a")]}
        ),
        Reply(200, {"metadata": {"resourceVersion": "9"}, "items": [body("b")]}),
    )

    listing = tasks.list()

    assert listing.names == {"a", "b"}
    assert listing.resource_version == "9"
    assert [request.query.get("continue") for request in server.requests] == [None, "more"]
    assert server.requests[1].query["labelSelector"] == "batchtask.dev/instance=prod"


def test_a_task_of_a_later_version_is_not_taken_for_gone(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    later = body("later", phase="Suspended")
    tasks, _ = connect(Reply(200, {"metadata": {"resourceVersion": "9"}, "items": [body(), later]}))

    listing = tasks.list()

    assert [task.metadata.name for task in listing.tasks] == ["bt-1"]
    assert listing.names == {"bt-1", "later"}
    assert "BatchTask later is of a version that this executor can't read" in caplog.text


def test_a_watch_passes_over_what_it_cannot_read(connect: Connect) -> None:
    events = lines(
        ("ADDED", body("later", "8", phase="Suspended")),
        ("BOOKMARK", {"metadata": {"resourceVersion": "9"}}),
        ("MODIFIED", body("bt-1", "10")),
    )
    tasks, _ = connect(Reply(200, events))

    first, second, third, last = tasks.watch("7")

    assert (first, second, third) == (Bookmark("7"), Bookmark("8"), Bookmark("9"))
    assert isinstance(last, Seen)
    assert last.task.metadata.name == "bt-1"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"code": 410, "message": "too old resource version"}, Gone),
        ({"code": 504, "message": "Too large resource version"}, Gone),
        ({"code": 500, "message": "etcd is unwell"}, Unavailable),
        ({}, Unavailable),
    ],
)
def test_an_error_in_a_watch_is_an_error(
    connect: Connect, status: dict[str, Any], expected: type[TasksError]
) -> None:
    tasks, _ = connect(Reply(200, lines(("ERROR", status))))

    with pytest.raises(expected):
        list(tasks.watch("7"))


def test_a_watch_that_sends_no_json_is_unavailable(connect: Connect) -> None:
    tasks, _ = connect(Reply(200, b"<html>\n"))

    with pytest.raises(Unavailable):
        list(tasks.watch("7"))


def test_a_reply_that_is_no_json_is_unavailable(connect: Connect) -> None:
    tasks, _ = connect(Reply(200, b"<html>"))

    with pytest.raises(Unavailable, match="the reply is no JSON"):
        tasks.list()


def test_a_request_to_wait_is_heard(connect: Connect) -> None:
    tasks, _ = connect(Reply(429, b"slow down", {"Retry-After": "3"}))

    with pytest.raises(Unavailable) as caught:
        tasks.create(draft())

    assert caught.value.retry_after == 3


def test_a_request_is_sent_once(connect: Connect) -> None:
    tasks, server = connect(Reply(503), Reply(503))

    with pytest.raises(Unavailable):
        tasks.create(draft())

    assert len(server.requests) == 1


HANGS = {
    "before the answer": b"",
    "within it": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
}


@pytest.mark.parametrize("beginning", HANGS.values(), ids=HANGS)
def test_who_cannot_wait_for_an_answer_does_not(beginning: bytes, tmp_path: Path) -> None:
    with hanging_server(beginning) as url:
        tasks = KubeBatchTasks(settings_for(url, tmp_path), answer_within=0.2)
        begun = time.monotonic()

        with pytest.raises(Unavailable, match=r"no answer from .* timed out"):
            tasks.find(AIRFLOW)

        assert time.monotonic() - begun < 5


def test_a_redirect_is_not_followed(connect: Connect) -> None:
    tasks, server = connect(Reply(302, b"", {"Location": "/login"}), Reply(200, b"<html>"))

    with pytest.raises(Unavailable):
        tasks.list()

    assert len(server.requests) == 1


def test_what_is_too_large_is_not_sent(connect: Connect) -> None:
    tasks, server = connect()
    large = {"jobQueue": "q", "jobDefinition": "d", "parameters": {"a": "x" * 2**20}}

    with pytest.raises(Refused, match="shorten executor_config"):
        tasks.create(draft(large))

    assert not server.requests


def test_nothing_is_asked_for_before_it_is_needed(connect: Connect) -> None:
    _, server = connect()

    assert not server.requests


def test_a_secret_that_comes_and_goes_is_a_conflict(connect: Connect) -> None:
    taken = {"kind": "Status", "reason": "AlreadyExists", "message": "exists"}
    tasks, server = connect(Reply(409, taken), Reply(404, b"{}"))
    secret = workload_secret(draft(), SecretStr("top secret"), datetime.now(UTC))

    with pytest.raises(Conflict) as caught:
        tasks.put_workload(secret)

    assert [request.method for request in server.requests] == ["POST", "PATCH"]
    assert "secret" not in str(caught.value).replace("the Secret", "")
