"""The HTTP server: AWS's API at every path, and local Batch's own under /_local/."""

import asyncio
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from batchtask_local.batch.api import Api
from batchtask_local.batch.faults import Faults
from batchtask_local.batch.inspection import Inspection
from batchtask_local.batch.protocol import HttpRequest

MAX_BODY_BYTES = 4 * 1024 * 1024


class Server:
    """Serves an API on a socket.

    Args:
        api: answers AWS's calls.
        inspection: answers what /_local/ asks.
    """

    def __init__(self, api: Api, inspection: Inspection) -> None:
        self._api = api
        self._inspection = inspection
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> str:
        """Begin to serve, and return the URL.

        Raises:
            OSError: the address can't be had.
        """
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/_local/faults", self._get_faults),
                web.put("/_local/faults", self._put_faults),
                web.get("/_local/journal", self._get_journal),
                web.get("/_local/stats", self._get_stats),
                web.post("/_local/jobs/{id}/vanish", self._vanish),
                web.post("/_local/jobs/{id}/reclaim", self._reclaim),
                web.route("*", "/{path:.*}", self._aws),
            ]
        )
        # What is still being answered at the end gets no more time: replies may be delayed.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        return f"http://{shown}:{bound_port}"

    async def stop(self) -> None:
        """Close the socket and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _aws(self, request: web.Request) -> web.StreamResponse:
        call = HttpRequest(
            method=request.method,
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            target=request.headers.get("X-Amz-Target"),
            body=await request.read(),
        )
        if asked := self._api.answer_sts(call, request.headers):
            return web.Response(status=asked.status, headers=asked.headers, body=asked.body)
        latency = self._api.gate.latency_seconds()
        if latency:
            await asyncio.sleep(latency)
        answer = self._api.answer(call, request.headers)
        if answer.delay_seconds:
            await asyncio.sleep(answer.delay_seconds)
        if answer.is_dropped and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def _get_faults(self, _request: web.Request) -> web.Response:
        return web.Response(
            text=self._api.gate.faults.model_dump_json(), content_type="application/json"
        )

    async def _put_faults(self, request: web.Request) -> web.Response:
        try:
            faults = Faults.model_validate_json(await request.read())
            self._api.gate = self._api.gate_of(faults)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            return web.json_response(
                {"errors": [_problem(problem) for problem in problems]}, status=400
            )
        except ValueError as error:
            return web.json_response({"errors": [str(error)]}, status=400)
        return await self._get_faults(request)

    async def _get_journal(self, request: web.Request) -> web.Response:
        query = request.query
        return web.json_response(
            self._inspection.journal(query.get("operation"), query.get("jobName"))
        )

    async def _get_stats(self, _request: web.Request) -> web.Response:
        return web.json_response(self._inspection.stats())

    async def _vanish(self, request: web.Request) -> web.Response:
        return _done(is_found=self._inspection.vanish(request.match_info["id"]))

    async def _reclaim(self, request: web.Request) -> web.Response:
        return _done(is_found=self._inspection.reclaim(request.match_info["id"]))


def _done(*, is_found: bool) -> web.Response:
    if is_found:
        return web.json_response({})
    return web.json_response({"errors": ["There is no such job, or it isn't placed"]}, status=404)


def _problem(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
