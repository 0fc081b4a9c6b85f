"""A tiny HTTP server in AWS's place, that answers as it is told and keeps what it was asked."""

import json
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Sabotage = Callable[[socket.socket], None]
_REGION = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")


@dataclass(frozen=True)
class Answer:
    """One answer: a status with a body, or what is done to the connection instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    instead: Sabotage | None = None


def json_answer(body: object, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), named)


def error_answer(code: str, message: str, status: int = 400, **headers: str) -> Answer:
    """An error as AWS's REST-JSON services word it."""
    return json_answer({"message": message}, status, x_amzn_ErrorType=code, **headers)


@dataclass
class Endpoint:
    """What stands at the address."""

    url: str
    answers: deque[Answer]
    asked: list[tuple[str, dict[str, Any]]]
    """Path and JSON body of each request that arrived whole."""
    regions: list[str]
    """What region each was signed for."""


@contextmanager
def endpoint(tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Serve until the block ends; without an answer told, the answer is an empty object."""
    answers: deque[Answer] = deque()
    asked: list[tuple[str, dict[str, Any]]] = []
    regions: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("content-length", 0)))
            is_json = text.startswith(b"{")
            regions.extend(_REGION.findall(self.headers.get("authorization", "")))
            asked.append((self.path, json.loads(text) if is_json else {"text": text.decode()}))
            answer = answers.popleft() if answers else Answer()
            if answer.instead is not None:
                self.close_connection = True
                answer.instead(self.connection)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that go away are what these tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    scheme = "http" if tls is None else "https"
    try:
        yield Endpoint(f"{scheme}://127.0.0.1:{server.server_port}", answers, asked, regions)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
