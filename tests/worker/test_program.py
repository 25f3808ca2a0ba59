"""The program itself, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.jobs import Jobs, State
from tests.worker.processes import store_options, worker
from tests.worker.support import add_job, away, is_at, now, open_store, wait_for, wait_for_end


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    store = open_store(tmp_path)
    yield store
    store.close()


def test_jobs_are_done_one_after_the_other_and_the_urgent_ones_first(jobs: Jobs, tmp_path: Path) -> None:
    plain = [add_job(jobs, steps=2) for _ in range(2)]
    urgent = add_job(jobs, steps=2, priority=1)
    with worker(tmp_path, *store_options(tmp_path), step_seconds=0.001) as process:
        assert [wait_for_end(jobs, job).state for job in (*plain, urgent)] == [State.SUCCEEDED] * 3
        late = add_job(jobs, steps=2)
        assert wait_for_end(jobs, late).state is State.SUCCEEDED
        assert process.end() == 0
        assert [line["job"] for line in process.lines("job")] == [job.id for job in (urgent, *plain, late)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_without_a_job_ends_at_once(jobs: Jobs, tmp_path: Path, number: signal.Signals) -> None:
    with worker(tmp_path, *store_options(tmp_path)) as process:
        process.wait_for("ready")
        assert process.end(number) == 0
        assert process.lines("stopping")[0]["why"] == number.name


def test_the_end_of_its_parent_ends_a_worker_that_was_told_so(jobs: Jobs, tmp_path: Path) -> None:
    job = add_job(jobs, steps=1000)
    with worker(tmp_path, *store_options(tmp_path), "--stop-with-parent") as process:
        wait_for(jobs, job, is_at(2))
        assert process.process.stdin
        process.process.stdin.close()
        assert process.process.wait(30) == 0
        assert process.lines("stopping")[0]["why"] == "the parent is gone"
    assert now(jobs, job).state is State.QUEUED


def test_a_worker_that_was_not_told_so_outlives_its_parent(jobs: Jobs, tmp_path: Path) -> None:
    job = add_job(jobs, steps=40)
    with worker(tmp_path, *store_options(tmp_path)) as process:
        wait_for(jobs, job, is_at(2))
        assert process.process.stdin
        process.process.stdin.close()
        assert wait_for_end(jobs, job).state is State.SUCCEEDED


def test_a_painter_that_does_not_listen_is_ended_at_the_deadline(jobs: Jobs, tmp_path: Path) -> None:
    job = add_job(jobs, steps=3)
    options = ("--stop-seconds", "1")
    with worker(tmp_path, *store_options(tmp_path), *options, step_seconds=600, deaf=1) as process:
        wait_for(jobs, job, lambda seen: seen.state is State.RUNNING)
        begin = time.monotonic()
        assert process.end() == 1
        assert time.monotonic() - begin < 20
        assert process.lines("not stopped in time; a job in hand goes back when its lease lapses")


def test_a_second_interrupt_ends_it_at_once_but_a_second_sigterm_does_not(jobs: Jobs, tmp_path: Path) -> None:
    job = add_job(jobs, steps=3)
    options = ("--stop-seconds", "600")
    with worker(tmp_path, *store_options(tmp_path), *options, step_seconds=600, deaf=1) as process:
        wait_for(jobs, job, lambda seen: seen.state is State.RUNNING)
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            process.send(number)
            time.sleep(0.2)
        assert process.process.poll() is None
        assert process.end(signal.SIGINT) == 1


def test_a_store_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with worker(tmp_path, *store_options(tmp_path)) as process:
        line = process.wait_for("the store cannot be reached; trying again")
        assert str(tmp_path / "blobs") in line["reason"]
        (tmp_path / "blobs").unlink()
        process.wait_for("ready")
        jobs = open_store(tmp_path)
        assert wait_for_end(jobs, add_job(jobs)).state is State.SUCCEEDED


def test_a_store_that_goes_while_it_idles_is_waited_for(jobs: Jobs, tmp_path: Path) -> None:
    with worker(tmp_path, *store_options(tmp_path)) as process:
        process.wait_for("ready")
        with away(tmp_path / "jobs.sqlite"):
            process.wait_for("the store cannot be reached; trying again")
        assert wait_for_end(jobs, add_job(jobs)).state is State.SUCCEEDED


def test_a_worker_that_waits_for_the_store_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with worker(tmp_path, *store_options(tmp_path)) as process:
        process.wait_for("the store cannot be reached; trying again")
        assert process.end() == 0


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ((), 2, "required: --database, --blobs"),
        (("--database", "mongodb://host/db", "--blobs", "b"), 1, "'mongodb' is not supported"),
        (("--database", "no url", "--blobs", "b"), 1, "database: is no URL"),
        (("--database", "sqlite:///FOLDER/x.sqlite", "--blobs", "what://b"), 1, "blobs: fsspec does not know"),
    ],
    ids=["nothing", "another database", "no URL", "no blob store"],
)
def test_what_can_never_work_ends_the_start_with_one_line(
    tmp_path: Path, options: tuple[str, ...], status: int, said: str
) -> None:
    options = tuple(option.replace("FOLDER", str(tmp_path)) for option in options)
    with worker(tmp_path, *options) as process:
        assert process.process.wait(60) == status
        text = process.log.read_text()
    assert said in text
    assert "Traceback" not in text


def test_without_torch_it_names_the_extra_that_brings_it(tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None; import impasto_worker; sys.exit(impasto_worker.program())"
    command = [sys.executable, "-c", script, *store_options(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["reason"] == "torch is not installed; run: pip install 'impasto[optimize]'"
