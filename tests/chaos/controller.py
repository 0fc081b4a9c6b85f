"""`python -m chaos.controller`: the product's controller, with points at which it falls.

What differs from `batchtask_controller.__main__`: durations are scaled, the two ports are wrapped,
and there are no probes. The parts in between are the product's own.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchtask_api import BatchTask, names
from batchtask_controller import logs
from batchtask_controller.aws import AwsBatch
from batchtask_controller.batch import Found, JobRef, JobRequest
from batchtask_controller.clock import SystemClock
from batchtask_controller.cluster import Api
from batchtask_controller.config import Settings
from batchtask_controller.handlers import login
from batchtask_controller.places import Account
from batchtask_controller.serve import Process
from chaos.orders import Mutant, Orders, Point
from chaos.trap import Trap


class TrappedBatch(AwsBatch):
    """The port `Batch`, with points before, in and after the calls that count."""

    def __init__(
        self, account: Account, call_timeout: float, trap: Trap, mutant: Mutant | None
    ) -> None:
        super().__init__(
            account.region, account.endpoint_url, call_timeout, role_arn=account.role_arn
        )
        self._trap = trap
        self._mutant = mutant

    async def submit(self, request: JobRequest, may_send: Callable[[], bool]) -> JobRef:
        def may_send_past_the_trap() -> bool:
            self._trap.reached(Point.BEFORE_CHECK)
            if not may_send():
                return False
            self._trap.reached(Point.IN_BEFORE_SEND)
            self._trap.reached(Point.DURING_SEND)
            return True

        job = await super().submit(request, may_send_past_the_trap)
        self._trap.reached(Point.AFTER_REPLY)
        return job

    async def find(self, name_prefix: str, queue: str) -> Found:
        self._trap.reached(Point.BEFORE_LOOK_UP)
        found = await super().find(name_prefix, queue)
        self._trap.reached(Point.AFTER_LOOK_UP)
        return replace(found, jobs=()) if self._mutant is Mutant.NO_LOOKUP else found


class TrappedApi(Api):
    """Requests to the API server, with points around those that count."""

    def __init__(self, connections: int, trap: Trap, orders: Orders) -> None:
        super().__init__(login, connections=connections)
        self._trap = trap
        self._mutant = orders.mutant
        self._linger = orders.linger

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        before, after = self._points(method, path, body or {})
        for point in before:
            await asyncio.sleep(self._linger)
            self._trap.reached(point)
        if self._mutant is Mutant.NO_INTENT and Point.BEFORE_INTENT in before:
            answer = await super().request("GET", path.removesuffix("/status"))
        else:
            body = self._mutated(method, body)
            answer = await super().request(method, path, body=body, query=query, headers=headers)
        self._trap.has_lease |= "/leases" in path and method in {"POST", "PUT"}
        for point in after:
            self._trap.reached(point)
        return answer

    def _points(
        self, method: str, path: str, body: Mapping[str, Any]
    ) -> tuple[Sequence[Point], Sequence[Point]]:
        status = body.get("status", {}) if method == "PATCH" else {}
        if status.get("jobId"):
            return (), (Point.AFTER_RECORD,)
        if status.get("submission"):
            return (Point.BEFORE_INTENT,), (Point.AFTER_INTENT,)
        if method == "GET" and path.endswith(f"/{names.PLURAL}") and self._trap.has_lease:
            return (), (Point.TAKING_OVER,)
        return (), ()

    def _mutated(self, method: str, body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if self._mutant is not Mutant.NO_CAS or method != "PATCH" or body is None:
            return body
        kept = {
            key: value
            for key, value in body["metadata"].items()
            if key not in {"resourceVersion", "uid"}
        }
        return {**body, "metadata": kept}


class LateProcess(Process):
    """A process whose watch tells everything late: its cache is stale."""

    late = 0.0

    def _observed(self, task: BatchTask) -> None:
        if self.late > 0:
            asyncio.get_running_loop().call_later(self.late, super()._observed, task)
        else:
            super()._observed(task)


async def run(settings: Settings, orders: Orders) -> None:
    """Serve until SIGTERM, or until it falls."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    trap, timings = Trap(orders), orders.timings()
    api = TrappedApi(settings.api_connections, trap, orders)
    lease_api = TrappedApi(1, trap, orders)
    process = LateProcess(
        settings,
        batches={
            account: TrappedBatch(account, timings.call_timeout, trap, orders.mutant)
            for account in {settings.home, *settings.account_of.values()}
        },
        api=api,
        lease_api=lease_api,
        clock=SystemClock(),
        timings=timings,
    )
    process.late = orders.stale
    try:
        await process.run(stop)
    finally:
        await api.close()
        await lease_api.close()


def _end_with_the_suite() -> None:
    """Its end of the pipe closes however it ends."""
    sys.stdin.read()
    os._exit(3)


def main() -> None:
    """Run the process."""
    threading.Thread(target=_end_with_the_suite, daemon=True).start()
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    asyncio.run(run(settings, Orders.read()))


if __name__ == "__main__":
    main()
