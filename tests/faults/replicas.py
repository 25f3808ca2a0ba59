"""Replicas of a server, each a process on ports that stay the same: to be killed, stopped and started again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.processes import open_files
from impasto_server.local import LocalServer, local_server
from tests.support import free_ports

PATIENCE = 60.0  # s, far more than anything here takes
# The plain CPU's engine with one thread: small photos are painted in milliseconds, memory is accounted for, and a life
# begins within a second.
LIGHT = (
    *("--provider", "cpu", "--engine-threads", "1", "--max-batch", "1", "--working-size", "128"),
    *("--bundle-probe", "off"),
)


class Replica:
    """One `impasto-server`, in as many lives as it takes.

    Attributes:
        folder: of its log, and of its jobs unless the options say otherwise.
        grpc, http: its ports, in every life.
    """

    def __init__(self, folder: Path, options: Sequence[str] = LIGHT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.grpc, self.http = free_ports(2)
        addresses = ("--listen", f"127.0.0.1:{self.grpc}", "--http", f"127.0.0.1:{self.http}")
        self._options = [*options, *addresses]
        self._life = ExitStack()
        self._server: LocalServer | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc}"

    @property
    def pid(self) -> int:
        assert self._server
        return self._server.process.pid

    @property
    def log(self) -> str:
        """What it has said in this life."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self._server is not None and self._server.process.poll() is None

    def start(self) -> None:
        """Begin a life, and return when it is ready."""
        self._server = self._life.enter_context(local_server(self.folder, self._options))

    def terminate(self) -> int:
        """Ask it to stop as an orchestrator does, wait for that, and return the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a machine that fails does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self._life.close()

    def _end(self, how: signal.Signals) -> int:
        assert self._server
        process = self._server.process
        process.send_signal(how)
        status = process.wait(PATIENCE)
        self._life.close()
        return status


@contextmanager
def replica(folder: Path, *options: str) -> Iterator[Replica]:
    """Run one."""
    with replicas(folder, 1, *options) as (one,):
        yield one


@contextmanager
def replicas(folder: Path, count: int, *options: str) -> Iterator[list[Replica]]:
    """Run so many with the same options."""
    with ExitStack() as stack:
        made = [Replica(folder / f"replica-{number}", [*LIGHT, *options]) for number in range(count)]
        for each in made:
            stack.callback(each.close)
            each.start()
        yield made


def all_of(servers: Sequence[Replica]) -> str:
    """Return a target of which gRPC's clients know every address."""
    return "ipv4:" + ",".join(server.target for server in servers)


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds that somebody else brings about."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
        time.sleep(0.02)


def until_released(server: Replica, files: int) -> None:
    """Wait until a server holds no more files and sockets than this."""
    until(lambda: open_files(server.pid) <= files, f"at most {files} open files, not {open_files(server.pid)}")
