"""The question that probes ask, put to real sockets by the real programs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from impasto import readiness
from tests.support import free_ports

PROGRAMS = ["impasto_server", "impasto_worker"]


@contextmanager
def answering(status: int, text: str) -> Iterator[int]:
    """Answer /readyz so, and everything else with 404; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/readyz"
            self.send_response(status if found else 404)
            self.end_headers()
            self.wfile.write(text.encode() if found else b"not here")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def accepting(say: bytes = b"") -> Iterator[int]:
    """Let one client connect, and say no more than that; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionResetError):
                connection.sendall(say)
                while connection.recv(1024):
                    pass  # until it goes

        answering = threading.Thread(target=accept)
        answering.start()
        yield listener.getsockname()[1]
        answering.join()


def ready(package: str, *arguments: str, http: str | None = None) -> tuple[int, str, str]:
    """Return status, output and errors of a program's `ready`, in a process that reports what it imported."""
    script = f"""
import sys, {package}
sys.argv = ["program", "ready", *sys.argv[1:]]
status = {package}.program()
heavy = {{"numpy", "grpc", "pydantic", "aiohttp", "sqlalchemy", "torch"}} & set(sys.modules)
assert not heavy, heavy
sys.exit(status)"""
    environment = {key: value for key, value in os.environ.items() if key != "IMPASTO_HTTP"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment | ({"IMPASTO_HTTP": http} if http is not None else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("package", PROGRAMS)
def test_a_program_that_is_ready_is_told_by_the_status(package: str) -> None:
    with answering(200, "ok\n") as port:
        assert ready(package, f"127.0.0.1:{port}") == (0, "ok\n", "")


@pytest.mark.parametrize("package", PROGRAMS)
def test_one_that_is_not_says_why(package: str) -> None:
    with answering(503, "warming up\n") as port:
        assert ready(package, http=f"0.0.0.0:{port}") == (1, "warming up\n", "")


def test_an_argument_wins_over_the_environment() -> None:
    with answering(200, "ok") as port:
        assert ready("impasto_server", f"127.0.0.1:{port}", http="127.0.0.1:1")[:2] == (0, "ok\n")


def test_where_nobody_listens_there_is_a_line_with_the_address() -> None:
    (port,) = free_ports(1)
    status, out, _ = ready("impasto_worker", f"127.0.0.1:{port}")
    assert (status, out) == (1, f"http://127.0.0.1:{port}/readyz cannot be reached: Connection refused\n")


def test_what_is_no_address_is_refused_with_an_example() -> None:
    for wrong in ("8501", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", ":8501", "here:\u0661"):
        status, out, errors = ready("impasto_server", wrong)
        assert (status, out) == (2, "")
        assert f"error: {wrong!r} is no address; give HOST:PORT such as 127.0.0.1:8501" in errors


def test_an_address_that_means_every_one_is_asked_on_the_loopback_one() -> None:
    assert readiness.address("0.0.0.0:8501") == ("127.0.0.1", 8501)
    assert readiness.address("[::]:8501") == ("::1", 8501)
    assert readiness.address("[fe80::1]:1") == ("fe80::1", 1)
    assert readiness.address("painter.internal:80") == ("painter.internal", 80)


def test_one_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with accepting() as port, pytest.raises(TimeoutError):
        readiness.ask("127.0.0.1", port, timeout=0.05)


def test_one_that_speaks_another_protocol_is_not_taken_for_ready(capsys: pytest.CaptureFixture[str]) -> None:
    with accepting(b"SSH-2.0-OpenSSH\r\n" + b" " * 20_000) as port:
        assert readiness.main("impasto-server", [f"127.0.0.1:{port}"]) == 1
    assert "cannot be reached: what answers there does not speak HTTP" in capsys.readouterr().out


def test_an_answer_of_several_lines_becomes_one_line() -> None:
    with answering(503, "warming up:\n  engine of wave\n") as port:
        assert readiness.ask("127.0.0.1", port) == (503, "warming up: engine of wave")
