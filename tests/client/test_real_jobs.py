"""The program `impasto` against a real server and a real worker, whose painter alone is a stand-in."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from impasto import images
from impasto.optimization import Optimization
from impasto_client import Client, DeadlineExceeded, JobState, Painting
from impasto_client.cli import main
from impasto_server.local import LocalServer, local_server
from impasto_worker.slow import stirred
from tests.client.programs import impasto
from tests.core.graphs import gate_bundle
from tests.support import gradient
from tests.worker.processes import WorkerProcess, worker

PHOTO = gradient(96, 64)
PAINTING = images.encode(gradient(40, 30))
STEPS = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    gate_bundle(tmp_path / "bundle")
    (tmp_path / "photo.png").write_bytes(images.encode(PHOTO, format=images.Format.PNG))
    (tmp_path / "painting.jpg").write_bytes(PAINTING)
    return tmp_path


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[LocalServer]:
    options = ["--bundle", str(folder / "bundle"), "--bundle-probe", "off", "--provider", "cpu"]
    options += ["--jobs", "on", "--workers", "0"]
    with local_server(folder, [*options, "--listen", f"127.0.0.1:{port}"]) as server:
        yield server


def working(folder: Path, step_seconds: float = 0.05) -> AbstractContextManager[WorkerProcess]:
    state = folder / "state"
    options = "--database", f"sqlite:///{state}/jobs.sqlite", "--blobs", str(state / "blobs")
    return worker(folder, *options, step_seconds=step_seconds)


def stylize(server: LocalServer, folder: Path) -> list[object]:
    files = ["stylize", folder / "photo.png", "--style-image", folder / "painting.jpg", "--out", folder / "x.png"]
    return [*files, "--steps", STEPS, "--server", server.target]


def test_a_painting_outlives_its_server(folder: Path) -> None:
    with served(folder) as server, working(folder, step_seconds=0.1), impasto(*stylize(server, folder)) as program:
        program.says(r"\d+/40")
        server.process.send_signal(signal.SIGKILL)
        program.says("trying again")
        with served(folder, server.grpc):
            status, _ = program.ends()

    assert status == 0, program.lines
    expected = stirred(PHOTO, Optimization(steps=STEPS))
    assert (images.decode((folder / "x.png").read_bytes()) == expected).all()


def test_ctrl_c_stops_the_worker(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(folder) as server, working(folder, step_seconds=0.5) as running:
        with impasto(*stylize(server, folder)) as program:
            program.says(r"\d+/40")
            program.interrupt()
            status, _ = program.ends()
        outcome = running.wait_for("job")["outcome"]
        main(["jobs", "--all", "--json", "--server", server.target])

    assert (status, outcome) == (130, "cancelled")
    (job,) = json.loads(capsys.readouterr().out)
    assert job["state"] == "cancelled"
    assert program.lines[-2] == f"impasto: {job['name']} is cancelled"


def test_a_deadline_passes_and_the_result_is_fetched_by_the_name_that_it_left(folder: Path) -> None:
    photo = (folder / "photo.png").read_bytes()

    with served(folder) as server, working(folder), Client(server.target) as client:
        with pytest.raises(DeadlineExceeded) as raised:
            client.stylize(photo, Painting(PAINTING), format="png", optimization={"steps": STEPS}, timeout=0.5)
        name = raised.value.operation or ""
        ended = client.wait(name)
        result = client.result(name)

    assert ended.state is JobState.SUCCEEDED
    assert (images.decode(result.image) == stirred(PHOTO, Optimization(steps=STEPS))).all()


def test_a_job_is_made_once_listed_previewed_and_deleted(folder: Path) -> None:
    photo = (folder / "photo.png").read_bytes()

    with served(folder) as server, working(folder, step_seconds=0.1), Client(server.target) as client:
        made, same = (
            client.create_job(photo, Painting(PAINTING), optimization={"steps": STEPS}, request_id="once")
            for _ in range(2)
        )
        previews = [update.preview for update in client.watch(made.name, preview_interval=0.2) if update.preview]
        listed = list(client.jobs(ended=True))
        client.delete(made.name)
        left = list(client.jobs())

    assert made == same
    assert previews
    assert all(images.decode(preview).shape == PHOTO.shape for preview in previews)
    assert [(job.name, job.state) for job in listed] == [(made.name, JobState.SUCCEEDED)]
    assert left == []
