"""What jobs take: workers, and what goes over the network to the store of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.capacity_plan import job_seconds, workers
from impasto import images
from impasto.machine import table

PERFORMANCE = Path(__file__).parents[1] / "docs" / "performance.md"
_SIZES = (256, 512)  # px
_JOBS = (60, 600)  # an hour
_UTILISATION = 0.8
_CHECKPOINT_EVERY = 10.0  # s, a worker's default
_PREVIEW_EVERY = 2.0
_PREVIEW = (256, 80)  # px, quality
_STEPS = 25  # until the optimiser remembers as much as it ever does
_MIB = 2**20


@dataclass(frozen=True)
class Traffic:
    """Bytes that one job sends to the store and has back."""

    photo: int
    result: int
    checkpoint: int
    preview: int

    def total(self, seconds: float) -> float:
        """Return the bytes of a job of so many seconds: each picture in and out, and what is saved meanwhile."""
        saved = self.checkpoint * (seconds // _CHECKPOINT_EVERY) + self.preview * (seconds // _PREVIEW_EVERY)
        return 2 * (2 * self.photo + self.result) + saved  # a painting is taken to be as large as the photo


def jobs_table(quick: bool) -> str:
    """Return a table of workers for jobs an hour, with the seconds that docs/performance.md has."""
    rows = []
    for size in _SIZES[:1] if quick else _SIZES:
        traffic = _traffic(size) if find_spec("torch") else None
        for perception, seconds in job_seconds(PERFORMANCE, size).items():
            rows.append(
                (
                    f"{size} px, {perception}",
                    f"{seconds:.1f}",
                    *(str(workers(jobs, seconds, _UTILISATION)) for jobs in _JOBS),
                    f"{traffic.total(seconds) / _MIB:.1f}" if traffic else "-",
                    f"{traffic.checkpoint / _MIB:.1f}" if traffic else "-",
                )
            )
    header = ("job", "s, 2 cores", *(f"workers for {jobs} an hour" for jobs in _JOBS))
    return table((*header, "MiB a job to and from the store", "MiB a checkpoint"), rows)


def _traffic(size: int) -> Traffic:
    """Paint for a few steps, and return what a job of this size would store."""
    from impasto.nn.optimize import Progress, optimize, perception_for
    from impasto.optimization import Optimization

    asked = Optimization(steps=_STEPS, perception="compact")
    photo = images.resize(np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8), size, size)
    largest = 0

    def on_progress(at: Progress) -> None:
        nonlocal largest
        largest = max(largest, len(at.checkpoint()))

    done = optimize(photo, [(photo, 1.0)], asked, perception=perception_for(asked), on_progress=on_progress)
    side, quality = _PREVIEW
    preview = images.encode(images.resize(done.pixels, side, side), quality=quality)
    return Traffic(len(images.encode(photo)), len(images.encode(done.pixels)), largest, len(preview))
