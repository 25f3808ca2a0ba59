"""What the worker's tests build from: a store in a folder, jobs in it, and a worker in this process."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto import images
from impasto.images import Format, Limits
from impasto.jobs import ANONYMOUS, Claim, Commission, Job, Jobs, State
from impasto.logs import make_log
from impasto.metadata import MARK
from impasto.optimization import Optimization
from impasto.tracing import OFF, Tracing
from impasto_worker.attempt import Attempt, Outcome
from impasto_worker.painting import Paint
from impasto_worker.reporting import Pace
from impasto_worker.slow import SlowPaint
from impasto_worker.stopping import Stop
from impasto_worker.vitals import Vitals
from tests.support import gradient

PHOTO = gradient(48, 32)
FILE = images.encode(PHOTO, format=Format.PNG)
QUICK = SlowPaint(step_seconds=0.001)
WAIT = 120.0  # s, far more than anything here takes


def open_store(folder: Path, **settings: Any) -> Jobs:
    """Return a store on SQLite in a folder."""
    return Jobs.open(f"sqlite:///{folder}/jobs.sqlite", str(folder / "blobs"), **settings)


def commission(steps: int = 5, **others: Any) -> Commission:
    """Return one whose result is the picture as painted, in PNG."""
    values: dict[str, Any] = {
        "optimization": Optimization(steps=steps),
        "painting_weights": (1.0,),
        "working_size": 48,
        "output_size": (48, 32),
        "format": Format.PNG,
    }
    return Commission(**{**values, **others})


def add_job(
    jobs: Jobs,
    steps: int = 5,
    *,
    photo: bytes = FILE,
    paintings: Sequence[bytes] = (FILE,),
    priority: int = 0,
    mask_file: bytes | None = None,
    **others: Any,
) -> Job:
    """Queue a job of so many steps."""
    return jobs.create(commission(steps, **others), photo, paintings, mask=mask_file, priority=priority)


def now(jobs: Jobs, job: Job) -> Job:
    """Return what has become of a job."""
    return jobs.get(job.id, ANONYMOUS)


def wait_for(jobs: Jobs, job: Job, what: Callable[[Job], bool], seconds: float = WAIT) -> Job:
    """Return the job once this is true of it."""
    deadline = time.monotonic() + seconds
    while not what(seen := now(jobs, job)):
        assert time.monotonic() < deadline, f"waited {seconds:g} s; it is {seen}"
        time.sleep(0.02)
    return seen


def wait_for_end(jobs: Jobs, job: Job) -> Job:
    return wait_for(jobs, job, lambda seen: seen.state.ended)


def is_at(step: int) -> Callable[[Job], bool]:
    """Return whether a job runs and has got to this step."""
    return lambda seen: seen.state is State.RUNNING and seen.progress.step >= step


def result(jobs: Jobs, job: Job) -> images.Pixels:
    return images.decode(b"".join(jobs.read_result(now(jobs, job))))


@contextmanager
def away(path: Path) -> Iterator[None]:
    """Let a file or folder be elsewhere while the block lasts."""
    elsewhere = path.with_name(f"{path.name}.away")
    path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path)


@dataclass
class Bench:
    """One worker's attempts, in this process.

    Attributes:
        jobs: its store.
        stop: asks it to stop.
        ended: how often it was ended by force.
    """

    jobs: Jobs
    paint: Paint = QUICK
    pace: Pace = field(default_factory=Pace)
    lease_seconds: float = 15.0
    limits: Limits = field(default_factory=Limits)
    stop_seconds: float = 20.0
    tracing: Tracing = OFF
    text: io.StringIO = field(default_factory=io.StringIO, repr=False)
    ended: int = 0

    def __post_init__(self) -> None:
        self.log = make_log("debug", stream=self.text)
        self.stop = Stop(self.log, self.stop_seconds, end=self._end)

    def attempt(self, claim: Claim | None = None) -> Outcome:
        """Do this job, or the next."""
        claim = claim or self.jobs.claim("bench")
        assert claim is not None
        attempt = Attempt(
            claim,
            self.paint,
            pace=self.pace,
            lease_seconds=self.lease_seconds,
            limits=self.limits,
            mark=MARK,
            stop=self.stop,
            vitals=Vitals(self.stop),
            tracing=self.tracing,
            log=self.log,
        )
        return attempt.run()

    @contextmanager
    def attempting(self) -> Iterator[list[Outcome]]:
        """Do the next job while the block lasts; the list holds the outcome afterwards."""
        outcome: list[Outcome] = []
        thread = threading.Thread(target=lambda: outcome.append(self.attempt()))
        thread.start()
        try:
            yield outcome
        finally:
            thread.join()
            self.stop.obeyed()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines of this event."""
        return [line for line in map(json.loads, self.text.getvalue().splitlines()) if line["event"] == event]

    def wait_for_line(self, event: str) -> None:
        """Return once a line of this event has been logged."""
        deadline = time.monotonic() + WAIT
        while not self.lines(event):
            assert time.monotonic() < deadline, f"waited {WAIT:g} s for {event!r} in {self.text.getvalue()}"
            time.sleep(0.02)

    def _end(self) -> None:
        self.ended += 1
