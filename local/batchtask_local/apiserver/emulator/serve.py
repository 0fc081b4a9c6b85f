"""Run the emulator in a thread of this process."""

import asyncio
import concurrent.futures
import contextlib
import datetime as dt
import secrets
import shutil
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from aiohttp import web

from batchtask_local.apiserver.certificates import Certificates, make_certificates
from batchtask_local.apiserver.crds import apply_crds, read_crds
from batchtask_local.apiserver.emulator.bodies import WriteOptions
from batchtask_local.apiserver.emulator.collector import Collector
from batchtask_local.apiserver.emulator.resources import BUILT_IN, NAMESPACES
from batchtask_local.apiserver.emulator.routes import Api
from batchtask_local.apiserver.emulator.storage import Storage
from batchtask_local.apiserver.emulator.tokens import Tokens
from batchtask_local.apiserver.emulator.writes import Writer
from batchtask_local.apiserver.errors import ApiServerError
from batchtask_local.apiserver.server import ApiServer, Progress, quiet, write_kubeconfig

RELEASE = "1.36.0"
LOG_LIMIT = 20_000
LIMITS = (
    "The API server is an emulator: every token may do everything (no RBAC), CEL rules "
    "(x-kubernetes-validations) and admission don't run, server-side apply merges without field "
    "ownership, a CRD has one version, protobuf isn't read (`kubectl create namespace` and its "
    "like send it; `kubectl create -f` doesn't), and nothing is kept after the end."
)
START_SECONDS = 30
SHUTDOWN_SECONDS = 0.1
"""Open watches are no reason to wait at the end (but aiohttp takes 0 for ever)."""


@contextlib.contextmanager
def emulator(
    crds: Sequence[Path] = (),
    on_progress: Progress = quiet,
    *,
    directory: Path | None = None,
    log_limit: int = LOG_LIMIT,
) -> Iterator[ApiServer]:
    """Run an emulated API server while the context lasts, in a thread of this process.

    What it can't do is said to `on_progress` first. A watch that starts more than `log_limit` to
    twice as many changes ago is refused as 410 Gone.

    Raises:
        ApiServerError: a CRD was refused.
    """
    definitions = read_crds(crds)
    on_progress(LIMITS)
    home = directory.absolute() if directory else Path(tempfile.mkdtemp(prefix="batchtask-api-"))
    try:
        certificates = make_certificates(home / "pki")
        token = secrets.token_urlsafe(24)
        with _running(certificates, token, log_limit) as port:
            url, kubeconfig = f"https://127.0.0.1:{port}", home / "kubeconfig"
            write_kubeconfig(
                kubeconfig, url=url, ca_file=certificates.ca, token=token, user="admin"
            )
            server = ApiServer(url, kubeconfig, certificates.ca, token, "emulator", home)
            apply_crds(server.request, definitions)
            yield server
    finally:
        if directory is None:
            shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _running(certificates: Certificates, token: str, log_limit: int) -> Iterator[int]:
    started: concurrent.futures.Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]]
    started = concurrent.futures.Future()

    async def main() -> None:
        try:
            async with _site(certificates, token, log_limit) as port:
                end = asyncio.Event()
                started.set_result((port, asyncio.get_running_loop(), end))
                await end.wait()
        finally:
            if not started.done():
                started.set_exception(ApiServerError("the emulator didn't start"))

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    port, loop, end = started.result(START_SECONDS)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()


@contextlib.asynccontextmanager
async def _site(certificates: Certificates, token: str, log_limit: int) -> AsyncIterator[int]:
    collector = Collector()
    storage = Storage(collector.notice, log_limit)
    writer = Writer(storage, _now)
    for resource in BUILT_IN:
        storage.serve(resource)
    for name in ("default", "kube-system", "kube-public"):
        writer.create(NAMESPACES, "", {"metadata": {"name": name}}, WriteOptions())
    api = Api(storage, writer, Tokens(token, _now), _now, RELEASE)
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    collecting = asyncio.create_task(collector.run(storage, writer))
    try:
        trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trust.load_cert_chain(certificates.serving, certificates.serving_key)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trust).start()
        yield runner.addresses[0][1]
    finally:
        collecting.cancel()
        await _close(runner)


async def _close(runner: web.AppRunner) -> None:
    connections = runner.server.connections if runner.server else []
    transports = [found.transport for found in connections if found.transport]
    await runner.cleanup()
    # A client that is idle answers no TLS farewell: don't wait for one.
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
