"""What the tests of jobs build from: one deployment's database and folder, and things to put in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import update

from impasto.images import Format
from impasto.jobs import ANONYMOUS, Claim, Commission, Job, Jobs, Progress, Result
from impasto.jobs.database import Database
from impasto.jobs.schema import jobs as table
from impasto.optimization import Optimization

COMMISSION = Commission(
    optimization=Optimization(steps=30), painting_weights=(1.0, 2.0), working_size=64, output_size=(64, 48)
)
PHOTO = b"the photo's file"
PAINTINGS = [b"the first painting's file", b"the second painting's file"]
FILE = bytes(range(256)) * 40
RESULT = Result(format=Format.JPEG, size=(64, 48), working_size=(64, 48), byte_count=len(FILE), seconds=1.5)
PROGRESS = Progress(step=7, total_steps=30, size=(32, 24), content=0.5, style=0.25, total=1.0, seconds_left=3.0)


@dataclass(frozen=True)
class Deployment:
    """One database and one folder of blobs, which any number of servers and workers open."""

    database: str
    folder: Path

    @contextmanager
    def opened(self, **settings: Any) -> Iterator[Jobs]:
        """Open it as one more process would."""
        jobs = Jobs.open(self.database, str(self.folder), **settings)
        try:
            yield jobs
        finally:
            jobs.close()

    def change(self, job: Job, **values: Any) -> None:
        """Change a job's row behind the back of everyone."""
        database = Database.open(self.database)
        with database.write() as connection:
            connection.execute(update(table).where(table.c.id == job.id).values(**values))
        database.close()

    def let_lapse(self, claim: Claim) -> None:
        """Make it so long since a worker's last sign of life that others may take its job."""
        self.change(claim.job, lease_until=0)

    def blobs(self, job: Job) -> set[str]:
        """Return the names of all files of a job."""
        folder = self.folder / job.id
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    def folders(self) -> set[str]:
        """Return the ids of all jobs that have a folder."""
        return {path.name for path in self.folder.iterdir() if path.is_dir()}


GIVEN = {"photo", "painting-0", "painting-1"}


def create(jobs: Jobs, **values: Any) -> Job:
    return jobs.create(COMMISSION, PHOTO, PAINTINGS, **values)


def claimed(jobs: Jobs, worker: str = "worker") -> Claim:
    """Claim what must be there to be claimed."""
    claim = jobs.claim(worker)
    assert claim is not None
    return claim


def again(jobs: Jobs, job: Job) -> Job:
    """Return the job as it is now."""
    return jobs.get(job.id, job.owner)


def succeeded(jobs: Jobs, **values: Any) -> Job:
    """Return a job with a result."""
    job = create(jobs, **values)
    claim = claimed(jobs)
    assert claim.job.id == job.id
    claim.succeed(FILE, RESULT)
    return jobs.get(job.id, values.get("owner", ANONYMOUS))
