"""What may stand at the address of Airflow's execution API: itself, or something else."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from batchtask_local.apiserver.certificates import Certificates

HEALTH = "/execution/health"


@dataclass(frozen=True)
class Answer:
    """What is answered at a path."""

    status: int = 200
    body: bytes = b'{"status":"healthy"}'
    headers: Mapping[str, str] = field(default_factory=dict)


PAGE = Answer(body=b"<!doctype html><title>Airflow</title>")
"""What Airflow's UI answers at any path that it doesn't know."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that the other side breaks off is what some tests are about."""


@contextlib.contextmanager
def serving(
    answers: Mapping[str, Answer], certificates: Certificates | None = None, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Serve these paths, and the UI's page at all others; yield `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path, PAGE)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    server = _Server((host, 0), Handler)
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.serving, certificates.serving_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Something that takes connections and says nothing; yield `host:port`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
