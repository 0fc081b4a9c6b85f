"""Ways to talk to an API server: raw HTTP, and kubectl."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config, watch

from batchtask_local.apiserver import ApiServer

Body = dict[str, Any]
Query = Mapping[str, str | int]

GROUP = "conformance.batchtask.dev"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def a_widget(name: str = "one", **spec: Any) -> Body:
    """Build a widget that is taken; what is given goes into its spec."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"color": "red", **spec},
    }


@dataclass(frozen=True)
class Reply:
    """An HTTP reply."""

    status: int
    headers: Mapping[str, str]
    body: Body

    def check(self) -> None:
        """Fail if the request was refused."""
        assert self.status < 300, self.body

    @property
    def ok(self) -> Body:
        """The body of a reply that had to be good."""
        self.check()
        return self.body

    @property
    def refusal(self) -> tuple[int, str]:
        """Code and reason."""
        return self.status, str(self.body.get("reason"))

    @property
    def message(self) -> str:
        return str(self.body["message"])

    @property
    def causes(self) -> list[tuple[str, str, str]]:
        """Field, reason and message of what is wrong; not CEL's remark that it was not asked."""
        found = {
            (cause["field"], cause["reason"], cause["message"])
            for cause in self.body["details"]["causes"]
            if cause["field"] != "<nil>"
        }
        return sorted(found)


@dataclass(frozen=True)
class Http:
    """Raw requests, as administrator unless told otherwise."""

    server: ApiServer
    pool: urllib3.PoolManager

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
    ) -> Reply:
        reply = self.pool.request(
            method,
            f"{self.server.url}{path}?{urlencode(query or {})}",
            body=None if body is None else json.dumps(body),
            headers=self._headers(content_type) | dict(headers or {}),
            timeout=30,
        )
        text = reply.data.decode()
        content = json.loads(text) if text.startswith("{") else {"text": text}
        return Reply(reply.status, reply.headers, content)

    def watch(self, path: str, query: Query) -> Iterator[Body]:
        """Yield a watch's events until it ends."""
        told = {"watch": 1, "timeoutSeconds": 20, **query}
        reply = self.pool.request(
            "GET",
            f"{self.server.url}{path}?{urlencode(told)}",
            headers=self._headers("application/json"),
            preload_content=False,
            timeout=30,
        )
        try:
            rest = b""
            for chunk in reply.stream(65536, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            reply.close()

    def _headers(self, content_type: str) -> dict[str, str]:
        token = f"Bearer {self.server.admin_token}"
        return {"Authorization": token, "Content-Type": content_type}


@dataclass(frozen=True)
class Widgets:
    """The widgets of one namespace, by raw HTTP."""

    http: Http
    namespace: str

    def path(self, name: str = "", subresource: str = "") -> str:
        parts = (f"{GROUP}/v1/namespaces", self.namespace, "widgets", name, subresource)
        return "/".join(["/apis", *filter(None, parts)])

    def create(self, body: Body, **query: str) -> Reply:
        return self.http.call("POST", self.path(), body, query=query)

    def get(self, name: str = "one") -> Reply:
        return self.http.call("GET", self.path(name))

    def list(self, **query: str | int) -> Reply:
        return self.http.call("GET", self.path(), query=query)

    def put(self, body: Body, name: str = "one", subresource: str = "") -> Reply:
        return self.http.call("PUT", self.path(name, subresource), body)

    def patch(
        self,
        body: object,
        name: str = "one",
        subresource: str = "",
        kind: str = MERGE,
        **query: str,
    ) -> Reply:
        path = self.path(name, subresource)
        return self.http.call("PATCH", path, body, content_type=kind, query=query)

    def delete(self, name: str = "one", options: Body | None = None, **query: str) -> Reply:
        return self.http.call("DELETE", self.path(name), options, query=query)

    def watch(self, **query: str | int) -> Iterator[Body]:
        return self.http.watch(self.path(), query)


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace, with nothing of the user's own in it."""

    program: Path
    kubeconfig: Path
    home: Path
    namespace: str

    def command(self, *arguments: str) -> Sequence[str]:
        options = (f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.home}")
        return [str(self.program), *options, f"--namespace={self.namespace}", *arguments]

    def run(self, *arguments: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: object = None) -> str:
        """Run a command that must work; give what it prints."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout


def client_of(kubeconfig: Path) -> client.ApiClient:
    """The official client, logged in as a kubeconfig says."""
    return config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call,no-any-return]


def changes(objects: Any, place: Sequence[str], start: str) -> Iterator[Body]:
    """Follow widgets with the official client's own watch until the caller has enough."""
    stream = watch.Watch()  # type: ignore[no-untyped-call]
    list_them = objects.list_namespaced_custom_object
    yield from stream.stream(  # type: ignore[no-untyped-call]
        list_them, *place, resource_version=start, timeout_seconds=20
    )
