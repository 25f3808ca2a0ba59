"""What the server does with jobs that there are: find, list, cancel, delete, read, and sweep."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from impasto.errors import (
    BlobMissing,
    JobEnded,
    JobNotFound,
    JobUnfinished,
    OutOfRange,
)
from impasto.jobs import ANONYMOUS, Failure, Jobs, State
from tests.core.jobs.deployment import (
    COMMISSION,
    FILE,
    GIVEN,
    PAINTINGS,
    PHOTO,
    PROGRESS,
    Deployment,
    again,
    claimed,
    create,
    succeeded,
)

HOUR = 3600


# Finding


@pytest.mark.parametrize("id", ["0" * 32, "", "../../etc/passwd", "nul\0", "A" * 32, "x" * 100_000])
def test_an_unknown_job_is_not_found(jobs: Jobs, id: str) -> None:
    for ask in (jobs.get, jobs.cancel, jobs.delete):
        with pytest.raises(JobNotFound, match="no job") as caught:
            ask(id, ANONYMOUS)
        assert len(str(caught.value)) < 200


def test_another_owners_job_is_not_found(jobs: Jobs) -> None:
    job = create(jobs, owner="ada")

    for ask in (jobs.get, jobs.cancel, jobs.delete):
        with pytest.raises(JobNotFound):
            ask(job.id, "bob")
    assert jobs.get(job.id, "ada") == job
    assert jobs.list("bob", limit=10) == []


def test_jobs_are_listed_newest_first_in_pages(jobs: Jobs) -> None:
    made = [create(jobs) for _ in range(5)]
    create(jobs, owner="ada")

    first = jobs.list(ANONYMOUS, limit=2)
    second = jobs.list(ANONYMOUS, limit=2, after=(first[-1].created, first[-1].id))
    create(jobs)
    third = jobs.list(ANONYMOUS, limit=2, after=(second[-1].created, second[-1].id))

    assert first + second + third == made[::-1]


def test_jobs_that_ended_are_listed_apart(jobs: Jobs) -> None:
    done = succeeded(jobs)
    cancelled = create(jobs)
    jobs.cancel(cancelled.id, ANONYMOUS)
    running, waiting = create(jobs), create(jobs)
    claimed(jobs)

    def listed(ended: bool) -> list[str]:
        return [job.id for job in jobs.list(ANONYMOUS, limit=10, ended=ended)]

    assert listed(ended=True) == [cancelled.id, done.id]
    assert listed(ended=False) == [waiting.id, running.id]
    assert jobs.counts() == {
        State.QUEUED: 1,
        State.RUNNING: 1,
        State.SUCCEEDED: 1,
        State.FAILED: 0,
        State.CANCELLED: 1,
    }


def test_later_jobs_are_newer_even_when_the_clock_steps_back(jobs: Jobs, deployment: Deployment) -> None:
    first = create(jobs)
    ahead = first.created + timedelta(hours=1)
    deployment.change(first, created=round(ahead.timestamp() * 1e6))

    second = create(jobs)

    assert second.created - ahead == timedelta(microseconds=1)
    assert claimed(jobs).job.id == first.id


# Cancelling


def test_a_job_that_waits_is_cancelled_at_once(jobs: Jobs) -> None:
    job = create(jobs)

    cancelled = jobs.cancel(job.id, ANONYMOUS)

    assert (cancelled.state, cancelled.cancelling) == (State.CANCELLED, False)
    assert cancelled.ended is not None
    assert jobs.claim("worker") is None
    assert jobs.cancel(job.id, ANONYMOUS) == cancelled


def test_a_running_jobs_worker_is_told_to_stop(jobs: Jobs) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    assert not claim.renew()

    told = jobs.cancel(job.id, ANONYMOUS)

    assert (told.state, told.cancelling) == (State.RUNNING, True)
    assert jobs.cancel(job.id, ANONYMOUS) == told
    assert claim.renew()
    claim.cancelled()
    assert again(jobs, job).state is State.CANCELLED
    assert jobs.claim("worker") is None


def test_a_cancelled_job_whose_worker_died_ends_too(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    jobs.cancel(job.id, ANONYMOUS)
    deployment.let_lapse(claim)

    assert jobs.claim("another") is None

    assert again(jobs, job).state is State.CANCELLED
    assert deployment.blobs(job) == set()


def test_a_dead_workers_job_is_cancelled_at_once(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    deployment.let_lapse(claimed(jobs))

    assert jobs.cancel(job.id, ANONYMOUS).state is State.CANCELLED


def test_a_job_that_ended_cannot_be_cancelled(jobs: Jobs) -> None:
    done = succeeded(jobs)
    broken = create(jobs)
    claimed(jobs).fail(Failure("EngineError", "no"))

    for job, state in ((done, "succeeded"), (broken, "failed")):
        with pytest.raises(JobEnded, match=f"job {job.id} has already {state}") as caught:
            jobs.cancel(job.id, ANONYMOUS)
        assert caught.value.state == state


# Deleting


@pytest.mark.parametrize("state", ["waiting", "running", "done"])
def test_deleting_a_job_leaves_nothing_of_it(jobs: Jobs, deployment: Deployment, state: str) -> None:
    job = succeeded(jobs) if state == "done" else create(jobs)
    if state == "running":
        claim = claimed(jobs)
        claim.save_checkpoint(b"half", PROGRESS)
        claim.report(PROGRESS, preview=b"a preview")

    jobs.delete(job.id, ANONYMOUS)

    with pytest.raises(JobNotFound):
        again(jobs, job)
    assert jobs.list(ANONYMOUS, limit=10) == []
    assert deployment.folders() == set()
    assert jobs.claim("worker") is None


def test_a_deleted_jobs_request_id_is_free_again(jobs: Jobs) -> None:
    job = create(jobs, request_id="one")
    jobs.delete(job.id, ANONYMOUS)

    assert jobs.create(COMMISSION, b"another", PAINTINGS, request_id="one").id != job.id


# Reading


def test_a_result_is_read_in_pieces_from_any_offset(jobs: Jobs) -> None:
    job = succeeded(jobs)

    pieces = list(jobs.read_result(job, chunk=1000))

    assert b"".join(pieces) == FILE
    assert {len(piece) for piece in pieces[:-1]} == {1000}
    assert b"".join(jobs.read_result(job, 777)) == FILE[777:]
    assert list(jobs.read_result(job, len(FILE))) == []


@pytest.mark.parametrize("offset", [-1, len(FILE) + 1])
def test_an_offset_outside_the_result_is_out_of_range(jobs: Jobs, offset: int) -> None:
    job = succeeded(jobs)

    with pytest.raises(OutOfRange, match=f"read_offset: {offset} is out of range; the result has {len(FILE)} bytes"):
        jobs.read_result(job, offset)


def test_a_job_that_has_not_succeeded_has_no_result(jobs: Jobs) -> None:
    job = create(jobs)

    with pytest.raises(JobUnfinished, match=f"job {job.id} is queued; only one that succeeded has a result"):
        jobs.read_result(job)


def test_the_result_of_a_job_that_is_deleted_meanwhile_is_not_found(jobs: Jobs) -> None:
    job = succeeded(jobs)
    jobs.delete(job.id, ANONYMOUS)

    with pytest.raises(JobNotFound):
        jobs.read_result(job)


def test_a_result_that_was_lost_is_said_to_be_missing(jobs: Jobs, deployment: Deployment) -> None:
    job = succeeded(jobs)
    (deployment.folder / job.id / "result-1").unlink()

    with pytest.raises(BlobMissing, match=f"result-1 of job {job.id} is gone"):
        jobs.read_result(job)


def test_the_newest_preview_is_shown_while_a_job_runs(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    assert jobs.preview(job) is None
    claim = claimed(jobs)

    claim.report(PROGRESS, preview=b"first")
    claim.report(PROGRESS, preview=b"second")

    assert jobs.preview(job) == b"second"
    assert again(jobs, job).progress == replace(PROGRESS, preview=2)
    assert len(deployment.blobs(job) - GIVEN) == 1


# Sweeping


def test_jobs_are_swept_when_they_have_been_kept_long_enough(deployment: Deployment) -> None:
    with deployment.opened(keep_seconds=HOUR) as jobs:
        old, young, waiting = succeeded(jobs), succeeded(jobs), create(jobs)
        assert old.ended
        assert old.expires == old.ended + timedelta(hours=1)
        deployment.change(old, expires=1)

        assert jobs.sweep() == 1

        assert {job.id for job in jobs.list(ANONYMOUS, limit=10)} == {young.id, waiting.id} == deployment.folders()
        assert jobs.sweep() == 0


def test_a_job_is_kept_as_long_as_the_server_said_that_made_it(deployment: Deployment) -> None:
    with deployment.opened(keep_seconds=HOUR) as server, deployment.opened() as worker:
        create(server)
        claim = claimed(worker)
        claim.fail(Failure("EngineError", "no"))

        job = again(server, claim.job)
        assert job.expires
        assert job.ended
        assert job.expires - job.ended == timedelta(hours=1)


def test_pictures_without_a_job_are_swept_once_they_are_old(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    old, new = "a" * 32, "b" * 32
    for name in (old, new):
        (deployment.folder / name).mkdir()
        (deployment.folder / name / "photo").write_bytes(PHOTO)
    (deployment.folder / "notes.txt").write_text("not ours")
    for path in (deployment.folder, *deployment.folder.rglob("*")):
        if new not in str(path):
            os.utime(path, (1, 1))

    assert jobs.sweep() == 0

    assert deployment.folders() == {job.id, new}
    assert (deployment.folder / "notes.txt").exists()
    jobs.ping()


def test_the_whole_store_is_listed_once_an_hour_and_expired_jobs_go_every_time(
    jobs: Jobs, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.sweep()
    orphan = deployment.folder / ("a" * 32)
    orphan.mkdir()
    os.utime(orphan, (1, 1))
    expired = succeeded(jobs)
    deployment.change(expired, expires=1)

    assert jobs.sweep() == 1
    assert deployment.folders() == {orphan.name}

    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + HOUR + 1)
    jobs.sweep()
    assert deployment.folders() == set()


def test_servers_that_sweep_at_once_delete_each_job_once(deployment: Deployment) -> None:
    with deployment.opened() as jobs, deployment.opened() as another, ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            deployment.change(succeeded(jobs), expires=1)

        deleted = list(threads.map(lambda store: store.sweep(), [jobs, another] * 2))

        assert sum(deleted) == 10
        assert deployment.folders() == set()


def test_what_a_killed_process_left_half_written_is_swept_once_it_is_old(sqlite: Deployment) -> None:
    with sqlite.opened() as jobs:
        old, new = sqlite.folder / ".partial-old", sqlite.folder / ".partial-new"
        old.write_bytes(PHOTO)
        new.write_bytes(PHOTO)
        os.utime(old, (1, 1))

        jobs.sweep()

        assert (old.exists(), new.exists()) == (False, True)


def test_sweeping_ends_what_no_worker_will_come_back_for(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    deployment.change(job, state="running", worker="dead", lease_until=0, attempts=3, tries=3)

    jobs.sweep()

    assert again(jobs, job).state is State.FAILED
