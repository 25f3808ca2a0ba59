"""A worker's HTTP port: whether it lives, whether it is ready and why not, and what it has done, at every moment."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto import images, readiness
from impasto.jobs import Jobs, State
from tests.support import gradient
from tests.worker.processes import WorkerProcess, store_options, worker
from tests.worker.support import add_job, away, is_at, now, open_store, wait_for, wait_for_end

HTTP = ("--http", "127.0.0.1:0")


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    store = open_store(tmp_path)
    yield store
    store.close()


def measured(process: WorkerProcess) -> dict[str, float]:
    """Return what /metrics shows, by name and labels."""
    status, text = process.page("/metrics")
    assert status == 200
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_a_worker_tells_from_its_first_moment_to_its_last_how_it_is(tmp_path: Path) -> None:
    goes = tmp_path / "go"
    (tmp_path / "blobs").write_text("in the way")
    options = (*store_options(tmp_path), *HTTP)
    with worker(tmp_path, *options, step_seconds=0.02, set_up_after=goes) as process:
        assert process.page("/readyz") == (503, "setting up the painter\n")
        assert process.page("/livez") == (200, "ok\n")
        assert process.page("/elsewhere")[0] == 404
        goes.touch()
        said = process.wait_for_page("/readyz", 503, "the store cannot be reached")
        assert f"{tmp_path}/blobs cannot be used" in said
        assert measured(process)["impasto_worker_store_reachable"] == 0
        (tmp_path / "blobs").unlink()
        process.wait_for_page("/readyz", 200, "ok")
        assert readiness.ask("127.0.0.1", process.http) == (200, "ok")
        assert len(process.lines("the store cannot be reached; trying again")) == 1
        assert len(process.lines("the store is back")) == 1

        jobs = open_store(tmp_path)
        job = add_job(jobs, steps=100)
        wait_for(jobs, job, is_at(3))
        busy = measured(process)
        assert (busy["impasto_worker_busy"], busy["impasto_worker_store_reachable"]) == (1, 1)
        assert busy["impasto_worker_steps_total"] >= 3
        assert wait_for_end(jobs, job).state is State.SUCCEEDED
        process.wait_for("job")
        process.wait_for_page("/metrics", 200, "impasto_worker_busy 0.0")
        done = measured(process)
        assert done["impasto_worker_steps_total"] == 100
        assert done['impasto_worker_jobs_total{outcome="succeeded"}'] == 1
        assert done['impasto_worker_jobs_total{outcome="failed"}'] == 0
        assert done["impasto_worker_job_seconds_count"] == 1
        assert done["process_resident_memory_bytes"] > 0
        (info,) = [name for name in done if name.startswith("impasto_worker_info")]
        assert 'device="none",perception="slow"' in info

        with away(tmp_path / "jobs.sqlite"):
            process.wait_for_page("/readyz", 503, "unable to open database file")
            assert process.page("/livez")[0] == 200
        process.wait_for_page("/readyz", 200, "ok")
        with away(tmp_path / "blobs"):
            process.wait_for_page("/readyz", 503, "impasto-blobs is gone from it")
        process.wait_for_page("/readyz", 200, "ok")
        jobs.close()


def test_a_worker_that_was_told_to_stop_is_not_ready_while_it_paints_on(jobs: Jobs, tmp_path: Path) -> None:
    add_job(jobs, steps=3)
    options = (*store_options(tmp_path), *HTTP, "--stop-seconds", "600")
    with worker(tmp_path, *options, step_seconds=600, deaf=1) as process:
        process.wait_for_page("/metrics", 200, "impasto_worker_busy 1.0")
        process.wait_for_page("/readyz", 200, "ok")
        process.send(signal.SIGTERM)
        process.wait_for_page("/readyz", 503, "stopping")
        assert process.page("/livez") == (200, "ok\n")


def test_a_worker_answers_while_it_optimises(jobs: Jobs, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    photo = images.encode(gradient(256, 192), format=images.Format.PNG)
    job = add_job(jobs, 40, photo=photo, working_size=256, output_size=(256, 192))
    options = (*store_options(tmp_path), *HTTP)
    with worker(tmp_path, *options, module="impasto_worker.main", omp_num_threads=1) as process:
        process.wait_for_page("/metrics", 200, "impasto_worker_busy 1.0")
        seen: set[float] = set()
        while len(seen) < 10:
            seen.add(measured(process)["impasto_worker_steps_total"])
            assert process.page("/livez") == (200, "ok\n")
            assert process.page("/readyz") == (200, "ok\n")
            assert now(jobs, job).state is State.RUNNING
        assert 'device="cpu",perception="lowrank"' in process.page("/metrics")[1]


def test_a_worker_that_is_stuck_and_whose_log_nobody_reads_says_that_it_does_not_live(
    jobs: Jobs, tmp_path: Path
) -> None:
    """Its own end waits for the log; so it is for others to end it."""
    add_job(jobs, steps=10_000)
    options = (*store_options(tmp_path), *HTTP, "--stuck-seconds", "1")
    with worker(tmp_path, *options, stderr=subprocess.PIPE, step_seconds=0) as process:
        process.wait_for_page("/livez", 503, "the painter is stuck")
        process.wait_for_page("/readyz", 503, "the painter is stuck")
        assert process.process.poll() is None


def test_a_port_that_is_taken_ends_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with worker(tmp_path, *store_options(tmp_path), "--http", address) as process:
            assert process.process.wait(60) == 1
            (line,) = process.lines("cannot start")
    assert line["reason"] == f"cannot listen for HTTP on {address}: Address already in use"


def test_a_worker_that_sets_up_its_painter_can_be_stopped_at_once(tmp_path: Path) -> None:
    with worker(tmp_path, *store_options(tmp_path), *HTTP, set_up_after=tmp_path / "never") as process:
        process.wait_for_page("/readyz", 503, "setting up")
        assert process.end() == 0
        assert process.lines("stopping")[0]["why"] == "SIGTERM"


def test_a_worker_that_waits_for_a_database_that_does_not_answer_can_be_stopped_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = f"postgresql://me:secret@127.0.0.1:{silent.getsockname()[1]}/jobs?connect_timeout=600"
        options = ("--database", database, "--blobs", str(tmp_path / "blobs"), *HTTP)
        with worker(tmp_path, *options) as process:
            connection, _ = silent.accept()
            with connection:
                process.wait_for_page("/readyz", 503, "opening the store")
                assert process.end() == 0
            assert not process.lines("not stopped in time; a job in hand goes back when its lease lapses")
            assert "secret" not in process.log.read_text()
