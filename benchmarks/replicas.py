"""Replicas of a server, each a process on ports that stay the same: to be killed, stopped and started again."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.ports import free_ports
from impasto_server.local import LocalServer, local_server

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
        host: the address that it listens on.
        grpc, http: its ports, in every life.
    """

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = LIGHT,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        cores: Collection[int] = (),
    ) -> None:
        """Remember how to run it.

        Args:
            folder: see above; is made.
            options: of `impasto-server`.
            host: see above.
            port: for gRPC; any by default.
            cores: those that it may run on; all by default.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.host = host
        self.grpc, self.http = free_ports(2)
        self.grpc = port or self.grpc
        addresses = ("--listen", f"{host}:{self.grpc}", "--http", f"127.0.0.1:{self.http}")
        self._options = [*options, *addresses]
        self._cores = cores
        self._life = ExitStack()
        self._server: LocalServer | None = None

    @property
    def target(self) -> str:
        return f"{self.host}:{self.grpc}"

    @property
    def pid(self) -> int:
        return self._running.process.pid

    @property
    def log(self) -> str:
        """What it has said in this life."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self._server is not None and self._server.process.poll() is None

    def start(self) -> None:
        """Begin a life, and return when it is ready."""
        with _on(self._cores):
            self._server = self._life.enter_context(local_server(self.folder, self._options))

    def terminate(self) -> int:
        """Ask it to stop as an orchestrator does, wait for that, and return the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a machine that fails does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self._life.close()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels.

        Raises:
            OSError: it does not answer.
        """
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=PATIENCE) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    @property
    def _running(self) -> LocalServer:
        assert self._server
        return self._server

    def _end(self, how: signal.Signals) -> int:
        process = self._running.process
        process.send_signal(how)
        status = process.wait(PATIENCE)
        self._life.close()
        return status


@contextmanager
def replicas(folder: Path, count: int, *options: str) -> Iterator[list[Replica]]:
    """Run so many with the same options."""
    with running([Replica(folder / f"replica-{number}", [*LIGHT, *options]) for number in range(count)]) as made:
        yield made


@contextmanager
def running(made: list[Replica]) -> Iterator[list[Replica]]:
    """Start these, and end them when the block ends."""
    with ExitStack() as stack:
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


@contextmanager
def _on(cores: Collection[int]) -> Iterator[None]:
    """Let this thread, and what it starts meanwhile, run on these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
