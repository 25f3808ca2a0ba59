"""A server in a process of its own on this machine, for demos, benchmarks and tests."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import ImpastoError

_START_SECONDS = 120.0  # loading and warming an engine on a small machine takes a few
_STOP_SECONDS = 45.0  # more than the server's own deadline for requests in flight
_ASK_EVERY = 0.05  # s


class ServerDidNotStart(ImpastoError):
    """The program ended, or was not ready in time; holds the last lines of its log."""


@dataclass(frozen=True)
class LocalServer:
    """A server that is ready.

    Attributes:
        process: its process.
        grpc: port of the gRPC service on 127.0.0.1.
        http: port of /metrics, /livez and /readyz there.
        admin: port of the Admin service there; None where it is off.
        studio: port of the studio there; None where it is off.
    """

    process: subprocess.Popen[bytes]
    grpc: int
    http: int
    admin: int | None = None
    studio: int | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc}"


@contextmanager
def local_server(folder: Path, options: Sequence[str] = ()) -> Iterator[LocalServer]:
    """Run `impasto-server` on free ports of the loopback interface; when the block ends, end it.

    Args:
        folder: where `server.log` is written, and `state` is kept.
        options: further command line options; without `--jobs on` among them it serves no jobs.

    Raises:
        ServerDidNotStart: see there.
    """
    ports, log = folder / "ports.json", folder / "server.log"
    ports.unlink(missing_ok=True)
    command = [sys.executable, "-m", "impasto_server.main", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    command += ["--studio-listen", "127.0.0.1:0"]
    files = ["--ports-file", str(ports), "--state-dir", str(folder / "state")]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *files, "--jobs", "off", *options], stdout=output, stderr=output)  # noqa: S603
    try:
        yield wait_until_ready(process, ports, log)
    finally:
        _stop(process)
        ports.unlink(missing_ok=True)


def wait_until_ready(process: subprocess.Popen[bytes], ports: Path, log: Path) -> LocalServer:
    """Return a server once it is ready.

    Args:
        process: its process.
        ports: the file that it writes its ports to.
        log: the file that it writes its log to.

    Raises:
        ServerDidNotStart: see there.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerDidNotStart(f"the server ended with status {process.returncode}:\n{_last_lines(log)}")
        if ports.exists():
            server = LocalServer(process, **json.loads(ports.read_text()))
            if _is_ready(server.http):
                return server
        time.sleep(_ASK_EVERY)
    raise ServerDidNotStart(f"the server was not ready within {_START_SECONDS:g} s:\n{_last_lines(log)}")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process: politely, and if that does not do, by force."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])
