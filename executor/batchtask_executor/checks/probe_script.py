"""Can Airflow's execution API be reached from here? For `python -c` in a job.

Asks as a task does: the same address, the same certificates. Needs Python alone; where Airflow is
installed, its configuration counts. The last line and the exit code say what is wrong.
"""

import importlib
import os
import re
import socket
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

VARIABLE = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
NOT_SET, NO_NAME, NO_CONNECTION, NO_TLS, BAD_ANSWER, BAD_PATH = range(10, 16)
SECONDS = 10


class Wrong(Exception):
    """What keeps a task from its API."""


def module(name: str) -> Any:
    """What is installed in this image, else None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def option(section: str, name: str) -> str | None:
    """Airflow's option; from the environment alone where there is no Airflow."""
    if airflow := module("airflow.configuration"):
        return airflow.conf.get(section, name, fallback=None) or None
    return os.environ.get(f"AIRFLOW__{section}__{name}".upper())


def address() -> SplitResult:
    """Where tasks report to, without a login."""
    url = option("core", "execution_api_server_url")
    if not url:
        raise Wrong(NOT_SET, f"{VARIABLE} is not set in this container: tasks ask localhost")
    url = re.sub("[^/?#]*@", "", url)
    try:
        found = urlsplit(url)
        is_one = found.scheme in ("http", "https") and found.hostname and found.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise Wrong(NOT_SET, f"{VARIABLE} is {url!r}, not like https://host/execution/")
    return found


def connect(host: str, port: int) -> socket.socket:
    """Resolve the name and connect."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Wrong(
            NO_NAME,
            f"DNS: {host} has no address here ({error}): the job's VPC must know the name; "
            "Kubernetes' Services are known in their cluster alone",
        ) from None
    addresses = ", ".join(dict.fromkeys(str(one[4][0]) for one in found))
    print(f"DNS: {host} is {addresses}")
    try:
        return socket.create_connection((host, port), SECONDS)
    except TimeoutError:
        why = "no answer: look at the load balancer's security group, routes and network ACLs"
    except OSError as error:
        why = f"{error}: does the load balancer listen on this port?"
    raise Wrong(NO_CONNECTION, f"TCP: can't connect to {addresses} port {port}: {why}")


def trust() -> ssl.SSLContext:
    """The certificates that tasks accept and show; Airflow 3.2 accepts none of the system's."""
    certifi, client = module("certifi"), module("airflow.sdk.api.client")
    wants_public = (option("api", "client_use_public_certs") or "true").lower() in (
        "true",
        "t",
        "1",
    )
    public = certifi.where() if certifi and wants_public else None
    is_old = client and not hasattr(client, "API_SSL_CA_FILE_PATH")
    context = ssl.create_default_context(cafile=public if is_old else option("api", "ssl_ca_file"))
    for file in filter(None, (public, option("api", "ssl_cert"))):
        context.load_verify_locations(file)
    if certificate := option("api", "client_ssl_cert"):
        context.load_cert_chain(certificate, option("api", "client_ssl_key"))
    return context


def secured(plain: socket.socket, host: str) -> socket.socket:
    """Do the handshake."""
    try:
        return trust().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        why = (
            f"the certificate is not accepted ({error.verify_message}): a private CA goes into "
            "the image, and its file's name into AIRFLOW__API__SSL_CERT"
        )
    except ssl.SSLError as error:
        why = f"no handshake ({error.reason}): does this port speak TLS?"
    except OSError as error:
        why = f"{error}: is a file of [api] ssl_cert missing, or does this port speak no TLS?"
    raise Wrong(NO_TLS, f"TLS: {why}")


def ask(to: SplitResult) -> None:
    """Ask for the API's health, which needs no token."""
    host, is_tls = str(to.hostname), to.scheme == "https"
    port = to.port or (443 if is_tls else 80)
    plain = connect(host, port)
    print(f"TCP: port {port} answers")
    link = (HTTPSConnection if is_tls else HTTPConnection)(host, port, timeout=SECONDS)
    link.sock = secured(plain, host) if is_tls else plain
    path = f"{to.path.rstrip('/')}/health"
    try:
        link.request("GET", path)
        answer = link.getresponse()
        body = answer.read(65536)
    except (HTTPException, OSError) as error:
        why = f"no HTTP answer ({error!r}): does this port speak {to.scheme}?"
        raise Wrong(BAD_ANSWER, f"HTTP: {why}") from None
    judge(answer.status, answer.getheader("Location"), body, path)


def judge(status: int, location: str | None, body: bytes, path: str) -> None:
    """Tell the API's own answer from any other."""
    end = location and location.split("?")[0]
    if end:
        why = f"leads to {end}: tasks follow no redirect"
    elif status in (401, 403):
        why = "something before Airflow wants a login: let /execution/ pass it"
    elif status in (502, 503, 504):
        why = (
            "the load balancer has no healthy api-server: look at its targets, their health "
            "check (/execution/health) and security group"
        )
    elif status not in (200, 404):
        why = "is not 200"
    elif status == 200 and b"".join(body.split()).startswith(b'{"status":"healthy"'):
        return
    else:
        raise Wrong(
            BAD_PATH,
            f"path: {path} is not the execution API's ({status}): {VARIABLE} must end with its "
            "path: /execution/, after that of [api] base_url",
        )
    raise Wrong(BAD_ANSWER, f"HTTP: {status}: {why}")


def main() -> int:
    """Ask, and give the exit code."""
    try:
        to = address()
        print(f"asking {to.geturl()}")
        through = None if proxy_bypass(str(to.hostname)) else getproxies().get(to.scheme)
        if through:
            print(f"{to.scheme}_proxy is set: tasks go through it, this probe does not")
        ask(to)
    except Wrong as wrong:
        code, why = wrong.args
        print(f"WRONG: {why}")
        return int(code)
    print("the execution API answers: tasks can start here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
