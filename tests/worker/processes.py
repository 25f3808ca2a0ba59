"""Workers in processes of their own, with a painter that needs no torch: quick to start, and to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from impasto.jobs import Job
from impasto_worker.main import main
from impasto_worker.slow import SlowPaint
from tests.worker.support import WAIT


@dataclass
class WorkerProcess:
    """A worker that runs, or did.

    Attributes:
        process: itself; its standard input is a pipe that we hold.
        log: the file that it writes to.
    """

    process: subprocess.Popen[bytes]
    log: Path = field(repr=False)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's whole lines of this event."""
        lines = self.log.read_text().splitlines(keepends=True)
        logged = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [line for line in logged if line["event"] == event]

    @property
    def steps(self) -> list[int]:
        """The steps that it has made, in order, of all jobs."""
        return [line["step"] for line in self.lines("step")]

    def times(self, job: Job) -> dict[int, datetime]:
        """Return each step that it has made of a job, and when it was made."""
        made = [line for line in self.lines("step") if line["job"] == job.id]
        return {line["step"]: datetime.fromisoformat(line["timestamp"]) for line in made}

    def wait_for(self, event: str, nth: int = 1) -> dict[str, Any]:
        """Return the n-th line of an event, once it is there."""
        deadline = time.monotonic() + WAIT
        while len(found := self.lines(event)) < nth:
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {event!r} in:\n{self.log.read_text()}"
            time.sleep(0.02)
        return found[nth - 1]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.send(number)
        return self.process.wait(WAIT)


@contextmanager
def worker(
    folder: Path, *options: str, module: str = "tests.worker.processes", **settings: object
) -> Iterator[WorkerProcess]:
    """Run a worker, and make sure that it has ended.

    Args:
        folder: where its log is written.
        options: of the program.
        module: what to run; this one has the slow painter.
        settings: environment variables; the slow painter's are at the end of this file.
    """
    log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMPASTO_")}
    environment |= {key.upper(): str(value) for key, value in settings.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--log-level", "debug", *options],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        yield WorkerProcess(process, log)
    finally:
        process.kill()
        process.wait()
        assert process.stdin
        process.stdin.close()


def store_options(folder: Path) -> tuple[str, ...]:
    """Return the options that name the store of `open_store`."""
    return "--database", f"sqlite:///{folder}/jobs.sqlite", "--blobs", str(folder / "blobs")


def _on_step(step: int) -> None:
    if "DEADLY" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("STICKS_AT") == str(step):
        time.sleep(WAIT)


if __name__ == "__main__":
    slow = SlowPaint(
        step_seconds=float(os.environ.get("STEP_SECONDS", "0.05")),
        deaf="DEAF" in os.environ,
        on_step=_on_step,
    )
    sys.exit(main(make_painter=lambda *_: slow))
