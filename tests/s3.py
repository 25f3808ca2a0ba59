"""An S3 of the tests' own, on loopback."""

from __future__ import annotations

import socket

BUCKET = "tests"


class S3:
    """It can be stopped, and started again on the same port; what is in it stays."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer  # which takes a second, and few tests need

        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
