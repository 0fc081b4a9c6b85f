"""The probes and the metrics, over HTTP."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = tuple[str, Callable[[], bool]]
"""What must be so, in words, and whether it is."""


class Health:
    """Serves /livez, /readyz and /metrics; a failed probe's body says what is not so."""

    def __init__(self, *, alive: Sequence[Check], ready: Sequence[Check]) -> None:
        app = web.Application()
        app.router.add_get("/livez", _probe(alive))
        app.router.add_get("/readyz", _probe(ready))
        app.router.add_get("/metrics", _metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    @property
    def port(self) -> int:
        """The port in use."""
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()


def _probe(checks: Sequence[Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        failed = [name for name, holds in checks if not holds()]
        if failed:
            return web.Response(status=503, text="".join(f"not so: {name}\n" for name in failed))
        return web.Response(text="ok\n")

    return answer


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
