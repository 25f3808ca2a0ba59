"""Each server in a process of its own on this machine, ready to be asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np

from impasto.bundle import Bundle
from impasto.machine import usable_cores
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.local import local_server

STYLIZE = "/impasto.v1.Stylizer/Stylize"
ROOT = Path(__file__).parents[2]
"""What `benchmarks` lies in."""

_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


class ServerMissing(Exception):
    """A server cannot be had here; says why."""


@dataclass(frozen=True)
class Peer:
    """A server that is ready.

    Attributes:
        label: its name.
        pid: its process, which may have started others.
        target: host:port.
        method: the full name of the one that paints.
        request: makes the message that asks for a JPEG to be painted.
    """

    label: str
    pid: int
    target: str
    method: str
    request: Callable[[bytes], bytes]


@contextmanager
def impasto(label: str, folder: Path, bundle: Bundle, style: str, options: Sequence[str]) -> Iterator[Peer]:
    """Run Impasto's server with these options."""
    folder.mkdir()
    with local_server(folder, ["--bundle", str(bundle.path), "--bundle-probe", "off", *options]) as server:
        yield Peer(label, server.process.pid, server.target, STYLIZE, stylize_request(style))


@contextmanager
def handwritten(label: str, folder: Path, bundle: Bundle, style: str) -> Iterator[Peer]:
    """Run the server in `handwritten`."""
    folder.mkdir()
    port = free_port()
    options = ["--graph", str(bundle.graph), "--code", str(written_code(folder, bundle, style))]
    options += ["--threads", str(usable_cores()), "--port", str(port)]
    command = [sys.executable, "-m", "benchmarks.peer_servers.handwritten", *options]
    with process(command, folder, {}) as server:
        wait_until(server, folder, lambda: _accepts(port))
        yield Peer(label, server.pid, f"127.0.0.1:{port}", STYLIZE, stylize_request(style))


def stylize_request(style: str) -> Callable[[bytes], bytes]:
    return lambda photo: pb.StylizeRequest(image=photo, style_id=style).SerializeToString()


def written_code(folder: Path, bundle: Bundle, style: str) -> Path:
    """Return a file of NumPy's with a style's code [D]."""
    path = folder / "code.npy"
    np.save(path, bundle.code(style))
    return path


def free_port() -> int:
    """Return a port of the loopback interface that nobody has, for programs that cannot choose one themselves."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def process(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, its words in `server.log` in the folder; when the block ends, end it.

    Args:
        command: that starts it.
        folder: an empty one.
        environment: what is added to this process's.
    """
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)  # with what it has started
            server.wait()


def wait_until(server: subprocess.Popen[bytes], folder: Path, ready: Callable[[], bool]) -> None:
    """Wait for a server, or raise ServerMissing."""
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if server.poll() is not None or time.monotonic() > deadline:
            words = (folder / "server.log").read_text(errors="replace").splitlines()[-10:]
            how = "is not ready" if server.poll() is None else f"ended with status {server.returncode}"
            raise ServerMissing("\n".join([f"{' '.join(server.args)} {how}:", *words]))  # type: ignore[arg-type]
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=1)
        except grpc.FutureTimeoutError:
            return False
    return True
