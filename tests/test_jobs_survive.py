"""Jobs outlive the processes that paint them: real workers, killed, frozen, stopped, on SQLite and on PostgreSQL."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto import images
from impasto.images import Pixels
from impasto.jobs import ANONYMOUS, Job, Jobs, State
from impasto.optimization import Optimization
from impasto_worker.slow import stirred
from tests.postgres import Postgres
from tests.support import all_below, gradient
from tests.worker.processes import WorkerProcess, worker
from tests.worker.support import PHOTO, WAIT, add_job, is_at, now, result, wait_for, wait_for_end

STEP_SECONDS = 0.05
STEPS = 90
CHECKPOINT_SECONDS = 1.0
QUICK_LEASE = ("--lease-seconds", "2")
LONG_LEASE = ("--lease-seconds", "600")
_TIMES = 20  # checkpoints take up a twentieth of the time at most


@dataclass(frozen=True)
class Place:
    """Where jobs are kept, and the logs of those that paint them."""

    folder: Path
    database: str
    jobs: Jobs

    def options(self, *others: str, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> tuple[str, ...]:
        """Return the options of a worker here."""
        pace = ("--checkpoint-seconds", str(checkpoint_seconds), "--preview-seconds", "0.1")
        return "--database", self.database, "--blobs", str(self.folder / "blobs"), *pace, *others

    def blobs(self, job: Job) -> set[str]:
        """Return the names of a job's pictures; its folder is gone when there are none."""
        return {path.name for path in all_below(self.folder / "blobs") if job.id in path.parts}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        database = f"sqlite:///{tmp_path}/jobs.sqlite"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        database = server.new_database()
    jobs = Jobs.open(database, str(tmp_path / "blobs"))
    yield Place(tmp_path, database, jobs)
    jobs.close()


def at_work(job: Job, *workers: WorkerProcess) -> tuple[WorkerProcess, WorkerProcess]:
    """Return of two workers first the one that paints a job."""
    deadline = time.monotonic() + WAIT
    while not any(each.times(job) for each in workers):
        assert time.monotonic() < deadline, "nobody paints"
        time.sleep(0.02)
    first, second = sorted(workers, key=lambda each: len(each.times(job)), reverse=True)
    return first, second


def assert_little_was_repeated(job: Job, victim: WorkerProcess, heir: WorkerProcess, checkpoint_seconds: float) -> None:
    """Check that an heir has made every step that its victim did not, and repeated what takes one interval at most."""
    before, after = victim.times(job), heir.times(job)
    last = max(before)
    assert sorted(after) == list(range(min(after), max(after) + 1))
    assert 1 < min(after) <= last + 1
    writing = max(line["seconds"] for line in victim.lines("checkpoint"))
    longest_step = max(before[step + 1] - before[step] for step in range(1, last)).total_seconds()
    repeated = (before[last] - before[min(after) - 1]).total_seconds()
    assert repeated <= max(checkpoint_seconds, _TIMES * writing) + 2 * longest_step


def freeze_until_taken_over(sleeper: WorkerProcess, heir: WorkerProcess) -> None:
    """Stop a process until another has its job.

    One that is stopped in the middle of a transaction keeps the others out; then it is woken, and stopped once more.
    """
    while not heir.steps:
        sleeper.send(signal.SIGSTOP)
        deadline = time.monotonic() + 15
        while not heir.steps and time.monotonic() < deadline:
            time.sleep(0.02)
        sleeper.send(signal.SIGCONT)


def expected(steps: int = STEPS) -> Pixels:
    """Return what is painted when nothing happens."""
    return stirred(PHOTO, Optimization(steps=steps))


def test_when_the_worker_that_paints_is_killed_the_other_ends_the_job_with_the_same_picture(place: Place) -> None:
    job = add_job(place.jobs, STEPS)
    options = place.options(*QUICK_LEASE)
    with worker(place.folder, *options) as one, worker(place.folder, *options) as another:
        wait_for(place.jobs, job, is_at(STEPS // 2))
        victim, heir = at_work(job, one, another)
        victim.send(signal.SIGKILL)
        done = wait_for_end(place.jobs, job)

    assert (done.state, done.attempts) == (State.SUCCEEDED, 2)
    np.testing.assert_array_equal(result(place.jobs, job), expected())
    assert max(heir.times(job)) == STEPS
    assert_little_was_repeated(job, victim, heir, CHECKPOINT_SECONDS)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # test_jobs_across_machines has PostgreSQL
def test_when_a_worker_that_optimises_is_killed_the_other_goes_on_from_its_checkpoint_to_the_same_picture(
    place: Place,
) -> None:
    pytest.importorskip("torch")
    options: dict[str, Any] = {
        "photo": images.encode(gradient(128, 96), format=images.Format.PNG),
        "output_size": (128, 96),
    }
    job, twin = (add_job(place.jobs, 100, working_size=128, **options) for _ in range(2))
    given = place.options(*QUICK_LEASE, checkpoint_seconds=0.2)
    with (
        worker(place.folder, *given, module="impasto_worker.main", omp_num_threads=1) as one,
        worker(place.folder, *given, module="impasto_worker.main", omp_num_threads=1) as another,
    ):
        victim, heir = at_work(job, one, another)
        victim.wait_for("checkpoint", nth=3)
        victim.send(signal.SIGKILL)
        done, whole = (wait_for_end(place.jobs, each) for each in (job, twin))

    assert (done.state, done.attempts, done.notes) == (State.SUCCEEDED, 2, ())
    assert (whole.state, whole.attempts) == (State.SUCCEEDED, 1)
    np.testing.assert_array_equal(result(place.jobs, job), result(place.jobs, twin))
    assert_little_was_repeated(job, victim, heir, 0.2)


def test_a_frozen_workers_job_is_taken_over_and_what_it_writes_on_waking_is_refused(place: Place) -> None:
    job = add_job(place.jobs, STEPS)
    options = place.options(*QUICK_LEASE)
    with worker(place.folder, *options) as one, worker(place.folder, *options) as another:
        wait_for(place.jobs, job, is_at(STEPS // 3))
        sleeper, heir = at_work(job, one, another)
        freeze_until_taken_over(sleeper, heir)
        assert sleeper.wait_for("job")["outcome"] == "lost"
        done = wait_for_end(place.jobs, job)

        assert (done.state, done.attempts) == (State.SUCCEEDED, 2)
        np.testing.assert_array_equal(result(place.jobs, job), expected())
        heir.end()
        assert place.blobs(job) == {job.id, "result-2"}
        assert wait_for_end(place.jobs, add_job(place.jobs, 2)).state is State.SUCCEEDED
        assert sleeper.wait_for("job", nth=2)["outcome"] == "succeeded"


def test_a_worker_that_is_told_to_stop_hands_its_job_over_and_not_a_step_is_lost(place: Place) -> None:
    job = add_job(place.jobs, STEPS)
    options = place.options(*LONG_LEASE, checkpoint_seconds=600)
    with worker(place.folder, *options) as one, worker(place.folder, *options) as another:
        wait_for(place.jobs, job, is_at(STEPS // 3))
        leaving, heir = at_work(job, one, another)
        assert leaving.end() == 0
        done = wait_for_end(place.jobs, job)

    assert (leaving.lines("job")[0]["outcome"], done.state) == ("released", State.SUCCEEDED)
    assert leaving.steps + heir.steps == list(range(1, STEPS + 1))
    np.testing.assert_array_equal(result(place.jobs, job), expected())


def test_a_cancelled_job_stops_at_once_and_the_worker_goes_on_with_the_next(place: Place) -> None:
    job, next_one = add_job(place.jobs, 1), add_job(place.jobs, 1)
    with worker(place.folder, *place.options(*LONG_LEASE), step_seconds=600) as process:
        wait_for(place.jobs, job, lambda seen: seen.state is State.RUNNING)
        begin = time.monotonic()
        place.jobs.cancel(job.id, ANONYMOUS)
        wait_for(place.jobs, job, lambda seen: seen.state is State.CANCELLED)
        seconds = time.monotonic() - begin
        wait_for(place.jobs, next_one, lambda seen: seen.state is State.RUNNING)
        assert process.lines("job")[0]["outcome"] == "cancelled"
    assert seconds < 5  # one, where there are cores enough for the tests that run beside this


def test_a_job_that_is_deleted_while_it_is_painted_leaves_nothing_behind(place: Place) -> None:
    job = add_job(place.jobs, 10_000)
    options = place.options(*LONG_LEASE, checkpoint_seconds=0.05)
    with worker(place.folder, *options, step_seconds=0.005) as process:
        wait_for(place.jobs, job, lambda seen: seen.progress.preview >= 2)
        process.wait_for("checkpoint")
        place.jobs.delete(job.id, ANONYMOUS)
        assert process.wait_for("job")["outcome"] == "lost"
        assert place.blobs(job) == set()
        assert process.end() == 0


def test_a_job_that_kills_every_worker_fails_after_a_few_and_the_queue_goes_on(place: Place) -> None:
    deadly, harmless = add_job(place.jobs, 3, priority=1), add_job(place.jobs, 3)
    options = place.options("--lease-seconds", "0.5")
    for _ in range(3):
        with worker(place.folder, *options, deadly=1) as victim:
            assert victim.process.wait(WAIT) == -signal.SIGKILL
        time.sleep(0.5)
    with worker(place.folder, *options):
        assert wait_for_end(place.jobs, harmless).state is State.SUCCEEDED
    failure = now(place.jobs, deadly).failure
    assert failure is not None
    assert failure.kind == "WorkerLost"


def test_a_job_waits_for_a_worker_that_starts_after_all_others_are_dead(place: Place) -> None:
    job = add_job(place.jobs, STEPS)
    options = place.options(*QUICK_LEASE)
    with worker(place.folder, *options) as victim:
        wait_for(place.jobs, job, is_at(STEPS // 2))
        victim.send(signal.SIGKILL)
        victim.process.wait()
    with worker(place.folder, *options) as heir:
        assert wait_for_end(place.jobs, job).state is State.SUCCEEDED
    assert heir.steps[0] > 1
    np.testing.assert_array_equal(result(place.jobs, job), expected())


def test_a_database_that_is_restarted_while_a_job_is_painted_costs_it_nothing(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.new_database()
    jobs = Jobs.open(database, str(tmp_path / "blobs"))
    options = Place(tmp_path, database, jobs).options(*QUICK_LEASE)
    job = add_job(jobs, STEPS)
    with worker(tmp_path, *options) as process:
        wait_for(jobs, job, is_at(STEPS // 3))
        postgres.stop()
        try:
            process.wait_for("the store cannot be reached; painting on")
        finally:
            postgres.start()
        assert wait_for_end(jobs, job).state is State.SUCCEEDED
    assert process.steps == list(range(1, STEPS + 1))
    np.testing.assert_array_equal(result(jobs, job), expected())
    jobs.close()
