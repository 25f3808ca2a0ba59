"""A connection that can be cut without either end being told, as when a cable is drawn or a phone loses its network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event


@dataclass
class _Line:
    """Leads connections on to a port.

    Attributes:
        unplug: once it is set, nothing more gets through what was connected before.
    """

    port: int
    unplug: Event = field(default_factory=Event)
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16))
    sockets: list[socket.socket] = field(default_factory=list)

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            self.sockets += [caller, server]
            cuttable = not self.unplug.is_set()
            self.threads.submit(self._pump, caller, server, cuttable)
            self.threads.submit(self._pump, server, caller, cuttable)

    def close(self) -> None:
        for end in self.sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.threads.shutdown()
        for end in self.sockets:
            end.close()

    def _pump(self, source: socket.socket, sink: socket.socket, cuttable: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not (cuttable and self.unplug.is_set()):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def unplugged(port: int) -> Iterator[tuple[int, Event]]:
    """Yield a port that leads on to another, and what cuts the connections there are at that time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = _Line(port)
        line.threads.submit(line.accept, listener)
        try:
            yield listener.getsockname()[1], line.unplug
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            line.close()
