"""A TCP proxy that can let connections go dead without closing them, as a lost NAT entry does."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(eq=False)
class _Link:
    near: socket.socket
    far: socket.socket
    asked_at: float = field(default_factory=time.monotonic)
    """When its client last sent anything."""
    is_dead: bool = False


class FreezingProxy:
    """Passes connections on to a port of this machine; frozen ones stay open and pass nothing."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listener = socket.socket()
        self.port = 0

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _end(self._listener)
        with self._lock:
            for link in self._links:
                _end(link.near)
                _end(link.far)

    def freeze(self, *, silent_seconds: float = 0.0) -> int:
        """Freeze the connections there are whose clients have sent nothing for so long.

        A watch's client sends nothing after its request, a Lease's holder does every two seconds.
        """
        now = time.monotonic()
        with self._lock:
            frozen = [link for link in self._links if now - link.asked_at >= silent_seconds]
            for link in frozen:
                link.is_dead = True
        return len(frozen)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                link = _Link(near, socket.create_connection(("127.0.0.1", self._target)))
                with self._lock:
                    self._links.add(link)
                for one, other in ((link.near, link.far), (link.far, link.near)):
                    pump = threading.Thread(target=self._pump, args=(link, one, other), daemon=True)
                    pump.start()

    def _pump(self, link: _Link, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(65536):
                if one is link.near:
                    link.asked_at = time.monotonic()
                if not link.is_dead:
                    other.sendall(piece)
        if link.is_dead and one is link.far:
            return  # its client is not to learn of the end
        with self._lock:
            self._links.discard(link)
        _end(one)
        _end(other)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
