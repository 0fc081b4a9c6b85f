"""kopf's part: log in, list and watch, and pass each object on; it decides and writes nothing.

kopf runs in a thread and an event loop of its own: at its end it cancels every task of its loop,
and it takes over the signals of the main thread; neither may touch a submission under way.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from batchtask_api import BatchTask, names
from batchtask_controller.cluster import Connection, parse

log = logging.getLogger(__name__)

_IDENTITY = "batchtask-controller"
"""Nobody reads it, as there is no peering. Without it kopf asks for the user's name, which a
container's user id may not have: the watch would never start."""
_RESTART_AFTER = 5.0
_CONNECT_AGAIN = (1.0, *(2.0,) * 30)
"""Pauses between tries to connect: kopf's own grow so that an API server is back 21 s unseen."""


def _connection_info() -> kopf.ConnectionInfo:
    """The pod's service account, else the current context of KUBECONFIG."""
    settings = kopf.OperatorSettings()
    for source in (kopf.login_with_service_account, kopf.login_with_kubeconfig):
        try:
            info = source(settings=settings)
        except kopf.LoginError as error:
            raise ConnectionError(f"no Kubernetes credentials: {error}") from None
        if info is not None:
            return info
    raise ConnectionError(
        "no Kubernetes credentials: run in a pod with a service account, or set KUBECONFIG to a "
        "kubeconfig file"
    )


def login() -> Connection:
    """Where the API server is and how to log in to it, read anew at each call.

    Raises:
        ConnectionError: no credentials are to be had.
    """
    info = _connection_info()
    return Connection(info.server.rstrip("/"), info.as_http_headers(), info.as_ssl_context())


class Watch:
    """The list and watch of all BatchTasks in the scope, restarted when it ends."""

    def __init__(
        self,
        namespaces: Sequence[str],
        observed: Callable[[BatchTask], None],
        vanished: Callable[[str], None],
    ) -> None:
        """Call `observed` with each task seen, `vanished` with each uid gone; both in this loop."""
        self._namespaces = namespaces
        self._observed = observed
        self._vanished = vanished
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the list and watch goes on."""
        return self._thread.is_alive() and self._ready.is_set()

    def start(self) -> None:
        """Begin to list and watch."""
        self._thread.start()

    async def stop(self) -> None:
        """End it."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, _RESTART_AFTER)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                asyncio.run(self._operator())
            except Exception:
                # kopf ends on any error of its stream; what it has seen stays in the store.
                log.exception("the watch ended; it starts again in %.0f s", _RESTART_AFTER)
            self._ready.clear()
            self._stop.wait(_RESTART_AFTER)

    async def _operator(self) -> None:
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(),
            namespaces=self._namespaces,
            standalone=True,
            identity=_IDENTITY,  # type: ignore[arg-type] # a NewType that kopf doesn't export
            stop_flag=self._stop,
            ready_flag=self._ready,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(_login_handler)
        kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)(self._on_event)
        return registry

    async def _on_event(self, event: kopf.RawEvent, **_: object) -> None:
        body: dict[str, Any] = dict(event["object"])
        if event["type"] == "DELETED":
            self._loop.call_soon_threadsafe(self._vanished, body["metadata"]["uid"])
        elif (task := parse(body)) is not None:
            self._loop.call_soon_threadsafe(self._observed, task)
        else:
            name = body.get("metadata", {}).get("name")
            log.error("BatchTask can't be read; is the CRD older than the controller? %s", name)


def _login_handler(**_: object) -> kopf.ConnectionInfo:
    return _connection_info()


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.networking.error_backoffs = _CONNECT_AGAIN
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.queueing.idle_timeout = 0.5
    return settings
