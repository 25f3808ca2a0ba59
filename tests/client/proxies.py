"""A proxy for TCP that does to connections what networks and hostile peers do, switched while it runs."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from threading import Thread
from typing import Any

_CHUNK = 65536  # bytes
_PULSE = 0.05  # s, between two pieces of what is throttled
_DISCARD = struct.pack("ii", 1, 0)  # what SO_LINGER takes to make of a close a reset


class Cut(Enum):
    """How a connection ends: in order (FIN), or not (RST)."""

    FIN = "fin"
    RST = "rst"


@dataclass
class Way:
    """What happens to one direction's bytes. Every value may be changed while bytes go through.

    Attributes:
        delay: s, that each piece is late.
        bytes_a_second: that get through of each connection; None for all.
        held: whether nothing gets through or is read any more, so that the sender's buffers fill.
        cut_after: bytes of a connection that get through before it is cut.
        cuts: connections that are still to be cut.
        passed: bytes that have got through, of all connections.
    """

    delay: float = 0.0
    bytes_a_second: float | None = None
    held: bool = False
    cut_after: int = 0
    cuts: int = 0
    passed: int = 0

    @property
    def piece(self) -> int:
        """How many bytes to pass on at once."""
        return max(1, int(self.bytes_a_second * _PULSE)) if self.bytes_a_second else _CHUNK

    def pause(self, size: int) -> float:
        """Return how many seconds a piece of so many bytes is late."""
        return self.delay + (size / self.bytes_a_second if self.bytes_a_second else 0.0)


class FaultProxy:
    """Leads connections on to a port of the loopback interface.

    Attributes:
        port: where it listens.
        up, down: what happens to what the callers send, and to what the server does.
        cut: how what has had its bytes is cut.
    """

    def __init__(self, target: int) -> None:
        self.up = Way()
        self.down = Way()
        self.cut = Cut.RST
        self._target = target
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self._loop)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def unplug(self) -> None:
        """Let nothing more through of what is connected now, and tell neither end, as when a cable is drawn."""
        for connection in list(self._connections):
            connection.unplugged = True

    def cut_all(self, how: Cut = Cut.RST) -> None:
        """End every connection there is."""
        self._wait_for(self._cut(how))

    def close(self) -> None:
        """End everything."""
        self._accepting.cancel()
        self._wait_for(self._cut(Cut.FIN))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            caller, _ = await self._loop.sock_accept(self._listener)
            connection = _Connection(self, caller)
            connection.task = asyncio.create_task(self._serve(connection))

    async def _serve(self, connection: _Connection) -> None:
        self._connections.add(connection)
        try:
            await connection.run(self._target)
        finally:
            self._connections.discard(connection)

    async def _cut(self, how: Cut) -> None:
        ending = [connection.end(how) for connection in list(self._connections)]
        await asyncio.gather(*ending, return_exceptions=True)

    def _wait_for(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class _Connection:
    """One caller's, and ours to the server."""

    def __init__(self, proxy: FaultProxy, caller: socket.socket) -> None:
        self.unplugged = False
        self.task: asyncio.Task[None] | None = None
        self._proxy = proxy
        self._caller = caller
        self._server = socket.socket()
        self._how = Cut.FIN
        for end in (self._caller, self._server):
            end.setblocking(False)

    async def run(self, port: int) -> None:
        """Lead on until both directions have ended, or either breaks."""
        try:
            with suppress(OSError):
                await asyncio.get_running_loop().sock_connect(self._server, ("127.0.0.1", port))
                up = self._pump(self._caller, self._server, self._proxy.up)
                down = self._pump(self._server, self._caller, self._proxy.down)
                await _both(up, down)
                return
            self._how = Cut.RST
        finally:
            for end in (self._caller, self._server):
                if self._how is Cut.RST:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
                end.close()

    def end(self, how: Cut) -> asyncio.Task[None]:
        assert self.task
        self._how = how
        self.task.cancel()
        return self.task

    async def _pump(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        loop, passed = asyncio.get_running_loop(), 0
        while data := await loop.sock_recv(source, _CHUNK):
            while data:
                piece, data = data[: way.piece], data[way.piece :]
                await asyncio.sleep(way.pause(len(piece)))
                while way.held:
                    await asyncio.sleep(_PULSE)
                if not self.unplugged:
                    passed = await self._send(sink, piece, passed, way)
        if not self.unplugged:
            sink.shutdown(socket.SHUT_WR)

    async def _send(self, sink: socket.socket, data: bytes, passed: int, way: Way) -> int:
        """Pass a piece on, and return how many bytes have got through by then."""
        loop = asyncio.get_running_loop()
        way.passed += len(data)
        if not way.cuts or passed + len(data) <= way.cut_after:
            await loop.sock_sendall(sink, data)
            return passed + len(data)
        way.cuts -= 1
        await loop.sock_sendall(sink, data[: max(0, way.cut_after - passed)])
        self._how = self._proxy.cut
        raise asyncio.CancelledError


async def _both(*pumps: Coroutine[Any, Any, None]) -> None:
    """Wait for both; when one breaks, end the other."""
    tasks = [asyncio.ensure_future(pump) for pump in pumps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def faulty(port: int) -> Iterator[FaultProxy]:
    """Yield a proxy that leads on to a port, and does no harm until it is told to."""
    proxy = FaultProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
