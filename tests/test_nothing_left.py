"""Of a job that was deleted or has expired nothing is left: real server, real worker, every file of theirs searched."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, update

from impasto import images
from impasto.jobs import ANONYMOUS, Jobs, State
from impasto.jobs.database import Database
from impasto.jobs.schema import jobs as table
from impasto_client import Client, JobUnknown, Painting
from impasto_server.local import LocalServer, local_server
from tests.core.exifs import phone, photo
from tests.core.graphs import gate_bundle
from tests.core.masks import png
from tests.support import all_below
from tests.worker.processes import WorkerProcess, worker
from tests.worker.support import WAIT

REQUEST_ID = "order-4711-of-ada"
PIECE = 24  # bytes, long enough not to be found by chance
PAINTING = images.encode(np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8), format=images.Format.PNG)
PHOTO = photo(phone(), width=96, height=64)
MASK = png(np.random.default_rng(2).integers(0, 256, (96, 64), np.uint8))  # of the photo turned upright


@dataclass(frozen=True)
class Place:
    """A deployment's files: state, logs, and what would be temporary."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def blobs(self) -> dict[str, bytes]:
        """Return what is stored of jobs, half-written files included."""
        root = self.state / "blobs"
        files = {path: data for path, data in _files(root).items() if path.name != "impasto-blobs"}
        return {str(path.relative_to(root)): data for path, data in files.items()}

    def found(self, traces: Sequence[bytes]) -> dict[str, list[bytes]]:
        """Return which of these bytes are in which file."""
        files = _files(self.folder).items()
        found = {str(path): [trace for trace in traces if trace in data] for path, data in files}
        return {path: traces for path, traces in found.items() if traces}

    def traces(self) -> list[bytes]:
        """Return pieces of all that is stored of the jobs that there are, and what their rows tell of them."""
        pieces = [data[at : at + PIECE] for data in self.blobs().values() for at in _places(data)]
        with sqlite3.connect(self.state / "jobs.sqlite") as connection:
            digests = [digest.encode() for (digest,) in connection.execute("SELECT digest FROM impasto_jobs")]
        connection.close()
        return [*pieces, *digests, REQUEST_ID.encode(), b"Ada Lovelace", b"A hill at dusk"]


def _files(root: Path) -> dict[Path, bytes]:
    """Return what is in all files below a folder, but for those that are deleted or renamed meanwhile."""
    found: dict[Path, bytes] = {}
    for path in all_below(root):
        with suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.read_bytes()
    return found


def _places(data: bytes) -> Iterator[int]:
    """Yield where distinct pieces of a file begin; a checkpoint's pixels are flat here and there."""
    for share in (0.3, 0.5, 0.7):
        at = int(len(data) * share)
        if len(set(data[at : at + PIECE])) > PIECE // 3:
            yield at


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name in ("TMPDIR", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))
    gate_bundle(tmp_path / "bundle")
    return Place(tmp_path)


@contextmanager
def serving(place: Place, *options: str) -> Iterator[LocalServer]:
    bundle = ["--bundle", str(place.folder / "bundle"), "--bundle-probe", "off", "--provider", "cpu"]
    with local_server(place.folder, [*bundle, "--jobs", "on", "--workers", "0", *options]) as server:
        yield server


def working(place: Place, step_seconds: float = 0.02) -> AbstractContextManager[WorkerProcess]:
    store = "--database", f"sqlite:///{place.state}/jobs.sqlite", "--blobs", str(place.state / "blobs")
    pace = "--preview-seconds", "0.05", "--checkpoint-seconds", "0.05", "--lease-seconds", "2"
    return worker(place.folder, *store, *pace, step_seconds=step_seconds)


def create(client: Client, steps: int) -> str:
    options = {"steps": steps}
    return client.create_job(
        PHOTO, Painting(PAINTING), optimization=options, metadata="all", mask=MASK, request_id=REQUEST_ID
    ).name


def until(what: str, holds: Callable[[], object]) -> None:
    """Wait until a call returns what is true."""
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, f"waited {WAIT:g} s until {what}"
        time.sleep(0.02)


def is_painted_for_a_while(place: Place) -> bool:
    names = " ".join(place.blobs())
    return "preview-" in names and "checkpoint-" in names


def test_of_a_job_that_is_deleted_nothing_is_left(place: Place) -> None:
    with serving(place) as server, Client(server.target) as client:
        name = create(client, steps=20)
        traces = place.traces()
        with working(place) as painter:
            assert painter.wait_for("job")["outcome"] == "succeeded"
        assert list(place.blobs().values()) == [client.result(name).image]
        traces += place.traces()
        assert len(place.found(traces)) > 1
        client.delete(name)

        assert place.blobs() == {}
        until("its traces are gone", lambda: not place.found(traces))  # at the next sweep, if somebody was reading
    assert place.found(traces) == {}


def test_of_a_job_that_is_deleted_while_it_is_painted_nothing_is_left(place: Place) -> None:
    with serving(place) as server, working(place) as painter, Client(server.target) as client:
        name = create(client, steps=10_000)
        until("it is painted", lambda: is_painted_for_a_while(place))
        traces = place.traces()
        client.delete(name)
        assert painter.wait_for("job")["outcome"] == "lost"

        assert place.blobs() == {}
        until("its traces are gone", lambda: not place.found(traces))  # at the next sweep, if somebody was reading


def test_of_a_job_that_was_cancelled_and_has_expired_nothing_is_left(place: Place) -> None:
    with serving(place, "--job-keep-seconds", "0.1") as server, working(place), Client(server.target) as client:
        name = create(client, steps=10_000)
        until("it is painted", lambda: is_painted_for_a_while(place))
        traces = place.traces()
        client.cancel(name)
        client.wait(name)
        assert place.found(traces)
    assert_gone_after_a_sweep(place, name, traces)


def test_of_a_job_that_has_expired_nothing_is_left_though_its_worker_was_killed(place: Place) -> None:
    with serving(place, "--job-keep-seconds", "0.1") as server, Client(server.target) as client:
        with working(place) as victim:
            name = create(client, steps=30)
            until("it is painted", lambda: is_painted_for_a_while(place))
            traces = place.traces()
            victim.send(signal.SIGKILL)
        with working(place):
            client.wait(name)
        traces += place.traces()
    assert_gone_after_a_sweep(place, name, traces)


def assert_gone_after_a_sweep(place: Place, name: str, traces: Sequence[bytes]) -> None:
    """Check that a server that starts, and so sweeps, leaves nothing of an expired job."""
    with serving(place) as server, Client(server.target) as client:
        until("it has been swept", lambda: is_unknown(client, name))
        until("its traces are gone", lambda: not place.found(traces))
    assert place.blobs() == {}
    assert place.found(traces) == {}


def is_unknown(client: Client, name: str) -> bool:
    try:
        client.job(name)
    except JobUnknown:
        return True
    return False


def test_what_a_killed_process_left_half_written_goes_with_its_job(place: Place) -> None:
    jobs = Jobs.open(f"sqlite:///{place.state}/jobs.sqlite", str(place.state / "blobs"))
    with serving(place) as server, Client(server.target) as client:
        name = create(client, steps=20)
        jobs_own = name.removeprefix("operations/")
        half, anothers = (place.state / "blobs" / f".partial-{job}-5" for job in (jobs_own, "0" * 32))
        half.write_bytes(b"half of a checkpoint")
        anothers.write_bytes(b"another job's")
        client.delete(name)

        assert list(place.blobs()) == [anothers.name]
    assert jobs.list(ANONYMOUS, limit=10) == []
    jobs.close()


def test_rows_that_were_moved_before_they_were_deleted_leave_nothing_behind_after_a_sweep(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    jobs = Jobs.open(f"sqlite:///{file}", str(tmp_path / "blobs"))
    kept, deleted = come_and_go(file)
    jobs.sweep()

    data = file.read_bytes()
    assert [name for name in deleted if name.encode() in data] == []
    assert all(name.encode() in data for name in kept)
    jobs.close()


def come_and_go(file: Path) -> tuple[list[str], list[str]]:
    """Insert, change and delete rows at random, and return the request ids of those that are left, and that are gone.

    With this seed SQLite 3.40 leaves a copy of a row that it moves to another page, and that is deleted afterwards.
    """
    random = Random(4)
    kept: list[str] = []
    deleted: list[str] = []
    made = 0
    database = Database.open(f"sqlite:///{file}")
    for _ in range(30):
        with database.write() as connection:
            for _ in range(200):
                dice = random.random()
                if dice < 0.3 or not kept:
                    kept.append(f"order-{made:05}")
                    connection.execute(insert(table).values(**row(kept[-1], made, random)))
                    made += 1
                elif dice < 0.75:
                    one = table.c.request_id == random.choice(kept)
                    connection.execute(update(table).where(one).values(progress="p" * random.randint(1, 700)))
                else:
                    deleted.append(kept.pop(random.randrange(len(kept))))
                    connection.execute(delete(table).where(table.c.request_id == deleted[-1]))
    database.close()
    return kept, deleted


def row(request_id: str, number: int, random: Random) -> dict[str, Any]:
    """Return the values of a job that waits."""
    return {
        "id": f"{random.getrandbits(128):032x}",
        "owner": ANONYMOUS,
        "request_id": request_id,
        "digest": f"{random.getrandbits(256):064x}",
        "state": State.QUEUED.value,
        "priority": 0,
        "created": number,
        "keep": 1,
        "commission": "c" * random.randint(50, 900),
        "progress": "p",
        "notes": "[]",
    }
