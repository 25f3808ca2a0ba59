"""Whether a server or a worker is ready, asked from beside it: for Kubernetes' exec probes and Docker's health checks.

A probe over HTTP that fails becomes an event with a status alone; what this prints becomes part of the pod's event.
It runs every few seconds beside a program that needs the processor: so the standard library alone, and not even its
HTTP client, which takes as long to import as all of this to run.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from collections.abc import Sequence
from contextlib import closing

COMMAND = "ready"
_VARIABLE = "IMPASTO_HTTP"
_DEFAULT = "127.0.0.1:8501"
_TIMEOUT = 2.0  # s, for the whole; a probe's own timeout should be longer, or it ends this before it can say why
_MOST_BYTES = 16_384  # of an answer
_OK = 200
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what listens everywhere is asked here

_DESCRIPTION = """\
Ask whether what serves HTTP there is ready, and print what it says.

The status is 0 if it is ready; 1 if it is not or cannot be reached, and what is printed says why."""


def main(program: str, arguments: Sequence[str]) -> int:
    """Ask, print the answer, and return the exit status: 0 ready, 1 not.

    Args:
        program: whose command this is, for its help.
        arguments: the command line's, without the program's name and the command.

    Raises:
        SystemExit: after --help, or with status 2 for an address that is none.
    """
    parser = _parser(program)
    options = parser.parse_args(arguments)
    try:
        host, port = address(options.address)
    except ValueError as error:
        parser.error(f"{options.address!r} {error}")
    try:
        status, answer = ask(host, port)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        print(f"http://{options.address}/readyz cannot be reached: {reason}")
        return 1
    print(answer)
    return 0 if status == _OK else 1


def address(text: str) -> tuple[str, int]:
    """Return host and port to ask of an address to listen on; every address of the machine means the loopback one.

    Raises:
        ValueError: with what is wrong, without the address.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise ValueError("is no address; give HOST:PORT such as 127.0.0.1:8501, the port from 1 to 65535")
    return _LOOPBACK.get(host, host), int(port)


def ask(host: str, port: int, *, timeout: float = _TIMEOUT) -> tuple[int, str]:
    """Return the status of `/readyz` there and what it says, on one line.

    Raises:
        OSError: there is nobody, or no answer in time.
        ValueError: what answers does not speak HTTP.
    """
    deadline = time.monotonic() + timeout
    with closing(socket.create_connection((host, port), timeout)) as connection:
        connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while len(answer) < _MOST_BYTES:
            connection.settimeout(max(1e-3, deadline - time.monotonic()))
            if not (received := connection.recv(_MOST_BYTES)):
                break
            answer += received
    return _read(answer)


def _read(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    protocol, _, rest = head.partition(b" ")
    if not (protocol.startswith(b"HTTP/") and rest[:3].isdigit()):
        raise ValueError("what answers there does not speak HTTP")
    return int(rest[:3]), " ".join(body.decode(errors="replace").split())


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{program} {COMMAND}", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "address",
        nargs="?",
        metavar="HOST:PORT",
        default=os.environ.get(_VARIABLE) or _DEFAULT,
        help=f"where it listens for HTTP [${_VARIABLE}, else {_DEFAULT}]",
    )
    return parser
