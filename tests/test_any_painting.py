"""Any painting, from a user's file to a user's file: the real program, server, worker and optimiser, and no VGG-19."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from impasto import images
from impasto.images import Pixels
from impasto.jobs.database import Database
from impasto.jobs.schema import jobs
from impasto_client import Client, JobState, Painting
from impasto_client.cli import main
from impasto_server.local import LocalServer, local_server
from tests.client.programs import impasto
from tests.core.graphs import gate_bundle
from tests.postgres import Postgres
from tests.support import gradient

pytest.importorskip("torch")

PHOTO = gradient(96, 64)
PAINTING = images.encode(np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8))
STEPS = 40
CHECKPOINT_SECONDS = 0.2
WAIT = 60.0  # s, far more than it takes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("IMPASTO_VGG_WEIGHTS", raising=False)
    monkeypatch.setenv("IMPASTO_CHECKPOINT_SECONDS", str(CHECKPOINT_SECONDS))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for each other take for ever on a busy machine
    gate_bundle(tmp_path / "bundle")
    (tmp_path / "photo.png").write_bytes(images.encode(PHOTO, format=images.Format.PNG))
    (tmp_path / "painting.jpg").write_bytes(PAINTING)
    return tmp_path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/state/jobs.sqlite"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        yield server.new_database()


def options(folder: Path, *others: str) -> list[str]:
    """Return what a server is started with that paints jobs itself."""
    bundle = ["--bundle", str(folder / "bundle"), "--bundle-probe", "off"]
    return [*bundle, "--provider", "cpu", "--jobs", "on", "--workers", "1", *others]


def command(server: LocalServer, folder: Path, out: str) -> list[str]:
    pictures = [str(folder / "photo.png"), "--style-image", str(folder / "painting.jpg"), "--out", str(folder / out)]
    return ["stylize", *pictures, "--steps", str(STEPS), "--server", server.target]


def read(path: Path) -> Pixels:
    return images.decode(path.read_bytes())


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def wait_for_checkpoint(folder: Path, database: str) -> None:
    """Return once a worker has saved a job that is being painted: its file alone, without the row, is none."""
    deadline = time.monotonic() + WAIT
    rows = Database.open(database)
    saved = False
    while not saved:
        time.sleep(0.01)
        assert time.monotonic() < deadline, (folder / "server.log").read_text()
        with rows.read() as connection:
            saved = connection.scalar(select(jobs.c.id).where(jobs.c.checkpoint.is_not(None))) is not None
    rows.close()


def logged(folder: Path, event: str) -> list[dict[str, Any]]:
    """Return the lines of this event that the last server and its worker have logged."""
    lines = (folder / "server.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]


def test_a_photo_is_painted_as_a_painting_that_nobody_has_trained(folder: Path) -> None:
    with local_server(folder, options(folder)) as server:
        status = main([*command(server, folder, "painted.png"), "--style-weight", "1e5"])
        with Client(server.target) as client:
            (job,) = client.jobs(ended=True)

    painted = read(folder / "painted.png").astype(float)
    assert status == 0
    assert painted.shape == PHOTO.shape
    assert np.abs(painted - PHOTO).mean() > 10
    assert np.corrcoef(painted.mean(2).ravel(), PHOTO.mean(2).ravel())[0, 1] > 0.3
    assert job.state is JobState.SUCCEEDED
    assert job.progress.style_loss < 0.5


def test_when_server_and_worker_are_killed_together_their_successors_end_the_job(folder: Path, database: str) -> None:
    where = options(folder, "--database", database)
    with local_server(folder, where) as server:
        assert main(command(server, folder, "whole.png")) == 0
        with impasto(*command(server, folder, "painted.png")) as program:
            wait_for_checkpoint(folder, database)
            family = [server.process.pid, *children(server.process.pid)]
            for process in family:
                os.kill(process, signal.SIGKILL)
            program.says("trying again")
            with local_server(folder, [*where, "--listen", f"127.0.0.1:{server.grpc}"]):
                status, _ = program.ends()

    assert len(family) == 2
    assert status == 0, program.lines
    (line,) = logged(folder, "job")
    assert (line["outcome"], line["attempt"], line["step"]) == ("succeeded", 2, STEPS)
    assert 0 < line["steps"] < STEPS
    assert (read(folder / "painted.png") == read(folder / "whole.png")).all()


def test_one_call_waits_for_the_picture(folder: Path) -> None:
    with local_server(folder, options(folder)) as server, Client(server.target, timeout=120) as client:
        painted = client.stylize((folder / "photo.png").read_bytes(), Painting(PAINTING), optimization={"steps": 3})

    assert images.decode(painted.image).shape == PHOTO.shape
    assert painted.stage_times.engine > 0
