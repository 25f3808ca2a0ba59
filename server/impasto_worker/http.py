"""The HTTP port: what Prometheus and Kubernetes ask. On threads, for the main one is busy with a picture."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typing_extensions import override

from impasto.errors import ImpastoError
from impasto_worker.metrics import Metrics
from impasto_worker.vitals import Vitals

_READ_WITHIN = 5.0  # s, for what a caller sends next
_STOP_WITHIN = 0.1  # s, until the thread that listens notices
_TEXT = "text/plain; charset=utf-8"


class CannotListen(ImpastoError):
    """The address is taken, or is none of this machine's."""


class _Port(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, metrics: Metrics, vitals: Vitals) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.metrics = metrics
        self.vitals = vitals
        super().__init__((host, port), _Page)

    @override
    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks DNS for a name that nobody needs

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out what callers do that go away: it would be no line of the log."""


class _Page(BaseHTTPRequestHandler):
    """/metrics; /livez, 503 once the process should be started anew; /readyz, 503 while it can do no jobs."""

    server: _Port
    timeout = _READ_WITHIN

    def do_GET(self) -> None:
        match self.path:
            case "/metrics":
                self._answer(HTTPStatus.OK, self.server.metrics.page(), self.server.metrics.content_type)
            case "/livez":
                self._well_unless(self.server.vitals.failure)
            case "/readyz":
                self._well_unless(self.server.vitals.obstacle)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"there are /metrics, /livez and /readyz\n")

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: probes come every few seconds."""

    def _well_unless(self, trouble: str | None) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
        self._answer(status, f"{trouble or 'ok'}\n".encode())

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str = _TEXT) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def http_port(address: tuple[str, int], metrics: Metrics, vitals: Vitals, ports_file: Path | None) -> Iterator[None]:
    """Serve the pages while the block lasts.

    Args:
        address: host and port; 0 is any free one.
        metrics, vitals: what the pages show.
        ports_file: where to write the port, as JSON.

    Raises:
        CannotListen: the address cannot be had.
        OSError: the file cannot be written.
    """
    try:
        port = _Port(*address, metrics, vitals)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        raise CannotListen(f"cannot listen for HTTP on {where}: {error.strerror or error}") from error
    thread = threading.Thread(target=port.serve_forever, args=(_STOP_WITHIN,), name="http", daemon=True)
    thread.start()
    try:
        if ports_file:
            _write(ports_file, {"http": port.server_address[1]})
        yield
    finally:
        port.shutdown()
        port.server_close()


def _write(file: Path, ports: object) -> None:
    """Write in one step, so that who waits for the file never reads half of it."""
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(json.dumps(ports) + "\n")
    draft.replace(file)
