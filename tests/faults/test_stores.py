"""What servers keep things in is full, or away: what needs it is refused in so many words, and all else goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from impasto_client import Client, JobState, Painting, ServerUnavailable
from tests.faults.callers import BULKY, PHOTO, painting
from tests.faults.replicas import PATIENCE, replica, until
from tests.postgres import Postgres
from tests.worker.processes import worker

SAYS = "the job store cannot be used at the moment; nothing is lost, try again"
PAINTING = Painting(PHOTO)
STEPS = 60
_SIZE = "4m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own that is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write a file that leaves no room, and return it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_takes_no_jobs_and_keeps_nobody_from_painting(tmp_path: Path, small_disk: Path) -> None:
    jobs = ("--jobs", "on", "--workers", "0", "--state-dir", str(small_disk))
    with replica(tmp_path / "server", *jobs) as server, Client(server.target, timeout=PATIENCE) as client:
        before = client.create_job(BULKY, PAINTING)
        ballast = fill(small_disk)
        with painting(server.target), pytest.raises(ServerUnavailable, match=SAYS):
            client.create_job(BULKY, PAINTING)
        ballast.unlink()
        after = client.create_job(BULKY, PAINTING)
        assert {job.name for job in client.jobs()} == {before.name, after.name}


def test_while_postgresql_is_away_photos_are_painted_and_whoever_waits_for_a_job_gets_it(
    tmp_path: Path, postgres: Postgres
) -> None:
    store = ("--database", postgres.new_database(), "--blobs", str(tmp_path / "blobs"))
    with (
        replica(tmp_path / "server", "--jobs", "on", "--workers", "0", *store) as server,
        worker(tmp_path, *store, "--lease-seconds", "5"),
        Client(server.target, timeout=PATIENCE) as client,
    ):
        job = client.create_job(PHOTO, PAINTING, optimization={"steps": STEPS})
        updates = client.watch(job.name, timeout=PATIENCE)
        until(lambda: next(updates).job.progress.step > 0, "the job to be begun with")
        postgres.stop()
        try:
            with painting(server.target), pytest.raises(ServerUnavailable, match=SAYS):
                client.create_job(PHOTO, PAINTING)
        finally:
            postgres.start()
        *_, last = updates
        assert last.job.state is JobState.SUCCEEDED
        assert client.result(job.name).width == 96
