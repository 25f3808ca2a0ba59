"""What a soak does to the processes: kills, restarts, cuts; each in turn, until it is over."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.replicas import Replica
from tests.client.proxies import Cut, FaultProxy
from tests.postgres import Postgres
from tests.worker.processes import WorkerProcess, worker

Fault = Callable[[], None]


class Painter:
    """An `impasto-worker` with torch, in as many lives as it takes."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._folder = folder
        self._options = options
        self._life = ExitStack()
        self._worker: WorkerProcess | None = None

    @property
    def pid(self) -> int:
        assert self._worker
        return self._worker.process.pid

    def start(self) -> None:
        self._worker = self._life.enter_context(
            worker(self._folder, *self._options, module="impasto_worker.main", omp_num_threads=1)
        )

    def kill(self) -> None:
        self._life.close()


class Faults:
    """Does harm, one fault after the other.

    Attributes:
        injected: how often each was.
        error: what went wrong with the harm itself.
    """

    def __init__(self, victim: Replica, painter: Painter, proxy: FaultProxy, database: Postgres | None) -> None:
        self.injected: Counter[str] = Counter()
        self.error: BaseException | None = None
        self._victim = victim
        self._painter = painter
        self._proxy = proxy
        self._database = database
        self._over = threading.Event()

    def run(self, pause: float) -> None:
        """Go on until it is over, with so many seconds between two faults."""
        faults: dict[str, Fault] = {
            "a replica killed (SIGKILL), and started again": self._kill,
            "connections reset (RST)": lambda: self._proxy.cut_all(Cut.RST),
            "a replica restarted (SIGTERM)": self._restart,
            "the worker killed, and started again": self._kill_painter,
            "connections that go silent": self._proxy.unplug,
        }
        if self._database:
            faults["PostgreSQL restarted"] = self._restart_database
        try:
            while True:
                for name, fault in faults.items():
                    if self._over.wait(pause):
                        return
                    fault()
                    self.injected[name] += 1
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self._over.set()

    def _kill(self) -> None:
        self._victim.kill()
        self._over.wait(2)
        self._victim.start()

    def _restart(self) -> None:
        status = self._victim.terminate()
        if status:
            raise AssertionError(f"after SIGTERM a server ended with status {status}")
        self._victim.start()

    def _kill_painter(self) -> None:
        self._painter.kill()
        self._painter.start()

    def _restart_database(self) -> None:
        assert self._database
        self._database.stop()
        self._over.wait(2)
        self._database.start()
