"""Makes a server slow: a TCP proxy, as a process, that delivers what a client sends later.

A request is one piece on its connection, so each takes that much longer, and so does each of the
round trips that open a connection, as over a long line.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def slow(port: int, seconds: float) -> Iterator[int]:
    """Run a proxy to a port of this machine; gives the proxy's port."""
    command = [sys.executable, "-m", "bench.slow_proxy", str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline() if process.stdout else "")
        finally:
            process.kill()


async def _serve(port: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _pump(reader, far_writer, seconds), _pump(far_reader, writer, 0), return_exceptions=True
        )

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    try:
        while piece := await reader.read(1 << 16):
            await asyncio.sleep(seconds)
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
