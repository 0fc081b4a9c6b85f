"""The fall of a controller: it signals itself, at the point and the pass that it was told."""

import os
import signal
import threading
import time

from chaos.orders import Orders, Point, Shown


class Trap:
    """Counts the passes of one point; may be reached from any thread."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._left = orders.passes
        self._lock = threading.Lock()
        self.has_lease = False
        """Whether this process has ever had the Lease: its lists of tasks are take-overs'."""

    def reached(self, point: Point) -> None:
        """Fall, if this is where and when."""
        if point is not self._orders.point:
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        if self._orders.delay > 0:
            threading.Timer(self._orders.delay, self._fall).start()
        else:
            self._fall()

    def _fall(self) -> None:
        os.write(2, f"{Shown.FIRED}: {self._orders.point}\n".encode())
        number = getattr(signal, f"SIG{self._orders.signal}")
        # To this very thread: it does not get another instruction further.
        signal.pthread_kill(threading.get_ident(), number)
        while number == signal.SIGKILL:
            time.sleep(1)
