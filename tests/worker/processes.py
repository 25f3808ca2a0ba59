"""Workers in processes of their own, with a painter that needs no torch: quick to start, and to be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from impasto.jobs import Job
from impasto.logs import Log
from impasto_worker.main import main
from impasto_worker.measuring import Measure
from impasto_worker.options import Options
from impasto_worker.slow import SlowPaint
from tests.programs import Program, started
from tests.worker.support import WAIT


class WorkerProcess(Program):
    """A worker that runs, or did."""

    @property
    def steps(self) -> list[int]:
        """The steps that it has made, in order, of all jobs."""
        return [line["step"] for line in self.lines("step")]

    def times(self, job: Job) -> dict[int, datetime]:
        """Return each step that it has made of a job, and when it was made."""
        made = [line for line in self.lines("step") if line["job"] == job.id]
        return {line["step"]: datetime.fromisoformat(line["timestamp"]) for line in made}


@contextmanager
def worker(
    folder: Path,
    *options: str,
    module: str = "tests.worker.processes",
    stderr: int | None = None,
    **settings: object,
) -> Iterator[WorkerProcess]:
    """Run a worker, and make sure that it has ended.

    Args:
        folder: where its log is written.
        options: of the program.
        module: what to run; this one has the slow painter.
        stderr: where its log goes instead of a file.
        settings: environment variables; the slow painter's are at the end of this file.
    """
    log = folder / f"worker-{len(list(folder.glob('worker-*.log')))}.log"
    ports = log.with_suffix(".json")
    command = [sys.executable, "-m", module, "--log-level", "debug", "--ports-file", str(ports), *options]
    with started(command, log, ports, settings, stderr=stderr) as parts:
        yield WorkerProcess(*parts)


def store_options(folder: Path) -> tuple[str, ...]:
    """Return the options that name the store of `open_store`."""
    return "--database", f"sqlite:///{folder}/jobs.sqlite", "--blobs", str(folder / "blobs")


def _on_step(step: int) -> None:
    if "DEADLY" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("STICKS_AT") == str(step):
        time.sleep(WAIT)


def _make_painter(_: Options, __: Log, measure: Measure) -> SlowPaint:
    while (awaited := os.environ.get("SET_UP_AFTER")) and not Path(awaited).exists():
        time.sleep(0.02)
    measure.paints_on("none", "slow")
    return SlowPaint(
        step_seconds=float(os.environ.get("STEP_SECONDS", "0.05")),
        deaf="DEAF" in os.environ,
        on_step=_on_step,
    )


if __name__ == "__main__":
    if ahead := float(os.environ.get("CLOCK_AHEAD", "0")):
        right = time.time
        time.time = lambda: right() + ahead
    sys.exit(main(make_painter=_make_painter))
