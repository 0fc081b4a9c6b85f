import json
from typing import Any

import pytest

from batchtask_executor.cluster.kube_errors import refusal
from batchtask_executor.cluster.tasks import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    NotInstalled,
    Refused,
    TasksError,
    Unavailable,
)

USER = 'User "system:serviceaccount:airflow:airflow-scheduler"'
RIGHTS = f'batchtasks.batchtask.dev is forbidden: {USER} cannot create resource "batchtasks"'
QUOTA = 'secrets "bt-1" is forbidden: exceeded quota: tasks, requested: count/secrets=1'
ENDING = 'batchtasks "bt-1" is forbidden: unable to create new content in namespace tasks'
POLICY = 'admission webhook "policy.example" denied the request: no GPUs on Fridays'
NO_NAMESPACE = {"reason": "NotFound", "details": {"kind": "namespaces", "name": "tasks"}}
TERMINATING = {"details": {"causes": [{"reason": "NamespaceTerminating"}]}}


def error(status: int, message: str = "", headers: Any = None, **of: Any) -> TasksError:
    body = {"kind": "Status", "message": message, **of}
    return refusal(status, json.dumps(body).encode(), headers or {}, "create BatchTask tasks/bt-1")


@pytest.mark.parametrize(
    ("found", "kind", "words"),
    [
        (error(400, 'strict decoding error: unknown field "spec.x"'), Refused, "spec.x"),
        (error(422, "spec.job.jobQueue: Required value"), Refused, "jobQueue"),
        (error(413, "Request entity too large"), Refused, "too large"),
        (error(500, "etcdserver: request is too large"), Refused, "too large"),
        (error(403, POLICY), Refused, "no GPUs on Fridays"),
        (error(403, RIGHTS), Forbidden, "manifests/rbac.yaml"),
        (error(403, QUOTA), Forbidden, "raise the ResourceQuota"),
        (error(403, ENDING, **TERMINATING), Forbidden, "the namespace is being deleted"),
        (
            error(404, 'namespaces "tasks" not found', **NO_NAMESPACE),
            Forbidden,
            "create the namesp",
        ),
        (error(404, "the server could not find it", reason="NotFound"), NotInstalled, "crd.yaml"),
        (refusal(404, b"404 page not found\n", {}, "list"), NotInstalled, "404 page not found"),
        (error(409, "exists", reason="AlreadyExists"), AlreadyExists, "exists"),
        (error(409, "changed", reason="Conflict"), Conflict, "changed"),
        (error(410, "too old resource version", reason="Expired"), Gone, "too old"),
        (error(504, "Too large resource version: 9, current: 1"), Gone, "Too large"),
        (error(401, "Unauthorized"), Unavailable, "[batchtask_executor] in_cluster"),
        (error(429, "too many"), Unavailable, "too many"),
        (error(500, "webhook failed"), Unavailable, "webhook failed"),
        (error(503, "unavailable"), Unavailable, "unavailable"),
        (refusal(502, b"<html>Bad gateway</html>", {}, "list"), Unavailable, "Bad gateway"),
        (refusal(400, b"sent an HTTP request to an HTTPS server", {}, "x"), Unavailable, "HTTPS"),
        (refusal(302, b"", {}, "list"), Unavailable, "no reason given (302)"),
        (refusal(500, b"[1]", {}, "list"), Unavailable, "[1] (500)"),
    ],
)
def test_each_refusal_has_its_kind_and_words(
    found: TasksError, kind: type[TasksError], words: str
) -> None:
    assert type(found) is kind
    assert words in str(found)
    assert str(found).startswith("can't ")


@pytest.mark.parametrize(
    ("status", "is_general"), [(401, True), (429, True), (500, False), (502, True), (503, True)]
)
def test_only_what_holds_for_every_request_is_general(status: int, is_general: bool) -> None:
    found = error(status)

    assert isinstance(found, Unavailable)
    assert found.is_general is is_general


@pytest.mark.parametrize(
    ("headers", "details", "expected"),
    [
        ({"Retry-After": "7"}, {}, 7.0),
        ({}, {"retryAfterSeconds": 3}, 3.0),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, {}, None),
        ({}, {}, None),
    ],
)
def test_the_servers_own_wait_is_read(
    headers: dict[str, str], details: dict[str, int], expected: float | None
) -> None:
    found = error(429, headers=headers, details=details)

    assert isinstance(found, Unavailable)
    assert found.retry_after == expected


def test_no_reply_carries_a_credential_or_a_novel_into_a_log() -> None:
    token = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"

    found = str(error(422, f'data["workload.json"]: Invalid value: "{token}"' + "x" * 10_000))

    assert "eyJ" not in found
    assert "(redacted)" in found
    assert len(found) < 2500
