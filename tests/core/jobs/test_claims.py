"""What a worker does with a job: begin, report, save, end; and what becomes of it when the worker dies."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from impasto.errors import BlobMissing, BlobUnreadable, LeaseLost
from impasto.jobs import ANONYMOUS, Claim, Failure, Jobs, Progress, State
from tests.core.jobs.deployment import (
    COMMISSION,
    FILE,
    GIVEN,
    PAINTINGS,
    PHOTO,
    PROGRESS,
    RESULT,
    Deployment,
    again,
    claimed,
    create,
)

WRITES: dict[str, Callable[[Claim], object]] = {
    "renew": lambda claim: claim.renew(),
    "report": lambda claim: claim.report(PROGRESS),
    "preview": lambda claim: claim.report(PROGRESS, preview=b"too late"),
    "save": lambda claim: claim.save_checkpoint(b"too late", PROGRESS),
    "succeed": lambda claim: claim.succeed(b"too late", RESULT),
    "fail": lambda claim: claim.fail(Failure("EngineError", "too late")),
    "cancelled": lambda claim: claim.cancelled(),
    "release": lambda claim: claim.release(),
}

every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


def test_a_worker_gets_the_pictures_as_they_were_uploaded(jobs: Jobs) -> None:
    job = create(jobs)

    claim = claimed(jobs)

    assert claim.job == again(jobs, job)
    assert (claim.job.state, claim.job.attempts, claim.attempt) == (State.RUNNING, 1, 1)
    assert claim.job.started is not None
    assert (claim.photo(), claim.paintings(), claim.checkpoint()) == (PHOTO, PAINTINGS, None)
    assert claim.tries_without_progress == 0
    assert jobs.claim("another") is None


def test_the_highest_priority_goes_first_and_then_the_oldest(jobs: Jobs) -> None:
    made = [create(jobs, priority=priority) for priority in (0, 5, -5, 5, 0)]

    order = [claimed(jobs).job.id for _ in made]

    assert order == [made[k].id for k in (1, 3, 0, 4, 2)]


def test_progress_and_notes_are_seen_by_all(jobs: Jobs) -> None:
    job = create(jobs)
    claim = claimed(jobs)

    claim.report(PROGRESS, notes=["smaller"])
    claim.report(replace(PROGRESS, step=8, content=math.inf), notes=["smaller", "grey \0 \ud800"])

    assert again(jobs, job).progress == replace(PROGRESS, step=8, content=math.inf)
    assert again(jobs, job).notes == ("smaller", "grey \0 \ud800")
    claim.report(Progress(step=9))
    assert again(jobs, job).notes == ("smaller", "grey \0 \ud800")


def test_a_job_succeeds_with_its_result_and_nothing_else_left(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    claim.report(PROGRESS, preview=b"a preview")

    claim.succeed(FILE, RESULT, notes=["done"])

    done = again(jobs, job)
    assert (done.state, done.result, done.notes) == (State.SUCCEEDED, RESULT, ("done",))
    assert done.ended is not None
    assert deployment.blobs(job) == {"result-1"}
    assert jobs.preview(done) is None


def test_a_job_fails_with_its_reason(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)

    claim.fail(Failure("InvalidInput", "is too small", "photo"))

    failed = again(jobs, job)
    assert (failed.state, failed.failure) == (State.FAILED, Failure("InvalidInput", "is too small", "photo"))
    assert deployment.blobs(job) == set()
    assert jobs.claim("another") is None


# When a worker dies


def test_a_dead_workers_job_goes_on_from_its_checkpoint_with_another(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    dead = claimed(jobs, "dead")
    dead.save_checkpoint(b"first", PROGRESS)
    dead.save_checkpoint(b"second", PROGRESS)
    dead.report(PROGRESS, preview=b"a preview")
    assert jobs.claim("alive") is None

    deployment.let_lapse(dead)
    claim = claimed(jobs, "alive")

    assert (claim.job.id, claim.attempt, claim.tries_without_progress) == (job.id, 2, 0)
    assert claim.checkpoint() == b"second"
    assert jobs.preview(job) == b"a preview"
    claim.report(PROGRESS, preview=b"another preview")
    assert jobs.preview(job) == b"another preview"
    assert again(jobs, job).progress.preview == 2
    assert len(deployment.blobs(job) - GIVEN) == 2


def test_a_sign_of_life_keeps_a_job(deployment: Deployment) -> None:
    with deployment.opened(lease_seconds=1000) as jobs:
        create(jobs)
        claim = claimed(jobs)

        for live in (claim.renew, lambda: claim.report(PROGRESS), lambda: claim.save_checkpoint(b"", PROGRESS)):
            deployment.let_lapse(claim)
            live()
            assert jobs.claim("another") is None


def test_a_lease_ends_by_itself(deployment: Deployment) -> None:
    with deployment.opened(lease_seconds=0) as jobs:
        create(jobs)
        claimed(jobs, "dead")
        claim = None
        while claim is None:  # until the database's clock has moved on
            claim = jobs.claim("alive")

        assert claim.attempt == 2


@every_write
def test_a_worker_that_comes_back_too_late_changes_nothing(
    jobs: Jobs, deployment: Deployment, write: Callable[[Claim], object]
) -> None:
    job = create(jobs)
    zombie = claimed(jobs, "same name")
    zombie.save_checkpoint(b"old", PROGRESS)
    deployment.let_lapse(zombie)
    holder = claimed(jobs, "same name")
    holder.save_checkpoint(b"new", PROGRESS)
    before = (again(jobs, job), deployment.blobs(job))

    with pytest.raises(LeaseLost, match=f"no longer holds job {job.id}"):
        write(zombie)

    assert (again(jobs, job), deployment.blobs(job)) == before
    assert holder.checkpoint() == b"new"
    holder.succeed(FILE, RESULT)
    with pytest.raises(LeaseLost):
        write(zombie)
    assert deployment.blobs(job) == {"result-2"}
    assert b"".join(jobs.read_result(again(jobs, job))) == FILE


@every_write
def test_a_worker_of_a_deleted_job_leaves_nothing_behind(
    jobs: Jobs, deployment: Deployment, write: Callable[[Claim], object]
) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    jobs.delete(job.id, ANONYMOUS)

    with pytest.raises(LeaseLost):
        write(claim)

    assert deployment.folders() == set()


def test_a_deleted_jobs_pictures_are_no_longer_held(jobs: Jobs) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    jobs.delete(job.id, ANONYMOUS)

    for read in (claim.photo, claim.paintings, claim.checkpoint):
        with pytest.raises(LeaseLost):
            read()


def test_a_picture_that_was_lost_is_said_to_be_missing(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    (deployment.folder / job.id / "painting-1").unlink()

    with pytest.raises(BlobMissing, match=f"painting-1 of job {job.id} is gone"):
        claim.paintings()


def test_a_checkpoint_that_was_lost_means_to_begin_anew(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    for path in (deployment.folder / job.id).glob("checkpoint-*"):
        path.unlink()

    assert claim.checkpoint() is None


def test_a_picture_that_cannot_be_read_is_told_from_a_store_that_cannot(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    photo = deployment.folder / job.id / "photo"
    photo.unlink()
    photo.mkdir()

    with pytest.raises(BlobUnreadable, match=f"photo of job {job.id} cannot be read, though the blob store can"):
        claim.photo()


def test_a_checkpoint_that_cannot_be_read_means_to_begin_anew(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    for path in (deployment.folder / job.id).glob("checkpoint-*"):
        path.unlink()
        path.mkdir()

    assert claim.checkpoint() is None


# A commission that another version stored


COMMISSIONS = {
    "no JSON": "{",
    "no commission": "null",
    "a field too few": "{}",
    "a field too many": json.dumps(COMMISSION.to_dict() | {"canvas": "linen"}),
    "a value that is not allowed": json.dumps(COMMISSION.to_dict() | {"optimization": {"steps": -1}}),
    "another format": json.dumps(COMMISSION.to_dict() | {"format": "papyrus"}),
}


@pytest.mark.parametrize("stored", COMMISSIONS.values(), ids=COMMISSIONS)
def test_a_job_that_cannot_be_read_fails_and_the_next_one_is_claimed(
    jobs: Jobs, deployment: Deployment, stored: str
) -> None:
    bad = [create(jobs, priority=1) for _ in range(2)]
    good = create(jobs)
    for job in bad:
        deployment.change(job, commission=stored)

    claim = claimed(jobs)

    assert (claim.job.id, claim.commission) == (good.id, COMMISSION)
    for failed in (again(jobs, job) for job in bad):
        assert (failed.state, failed.commission) == (State.FAILED, None)
        assert failed.failure is not None
        assert failed.failure.kind == "JobUnreadable"
        assert "create it again" in failed.failure.message
        assert failed.expires is not None


def test_a_job_that_cannot_be_read_is_shown_listed_cancelled_and_deleted(jobs: Jobs, deployment: Deployment) -> None:
    job, other = create(jobs, request_id="one"), create(jobs)
    deployment.change(job, commission="{}")

    unreadable = replace(job, commission=None)
    assert again(jobs, job) == unreadable
    assert jobs.list(ANONYMOUS, limit=10) == [other, unreadable]
    assert create(jobs, request_id="one") == unreadable
    assert jobs.cancel(job.id, ANONYMOUS).state is State.CANCELLED
    jobs.delete(job.id, ANONYMOUS)
    assert jobs.list(ANONYMOUS, limit=10) == [other]


# Attempts


def test_a_job_that_kills_every_worker_fails_after_three(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    for attempt in (1, 2, 3):
        claim = claimed(jobs)
        assert (claim.attempt, claim.tries_without_progress) == (attempt, attempt - 1)
        deployment.let_lapse(claim)

    assert jobs.claim("fourth") is None

    failed = again(jobs, job)
    assert (failed.state, failed.attempts) == (State.FAILED, 3)
    assert failed.failure is not None
    assert failed.failure.kind == "WorkerLost"
    assert "3 workers died of it" in failed.failure.message


def test_a_job_that_gets_further_each_time_may_be_tried_more_often(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    for step in range(6):
        claim = claimed(jobs)
        assert claim.tries_without_progress == 0
        claim.save_checkpoint(str(step).encode(), replace(PROGRESS, step=step))
        deployment.let_lapse(claim)

    assert claimed(jobs).checkpoint() == b"5"
    assert again(jobs, job).state is State.RUNNING


def test_a_job_that_is_given_back_goes_on_from_its_checkpoint_and_counts_no_attempt(jobs: Jobs) -> None:
    job = create(jobs)
    for _ in range(5):
        claim = claimed(jobs)
        assert claim.tries_without_progress == 0
        claim.release()
        assert again(jobs, job).state is State.QUEUED

    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    claim.release()
    claim = claimed(jobs)
    assert (claim.checkpoint(), claim.tries_without_progress, claim.attempt) == (b"half", 0, 7)


def test_a_job_that_is_given_back_after_it_was_cancelled_ends(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    jobs.cancel(job.id, ANONYMOUS)

    claim.release()

    assert again(jobs, job).state is State.CANCELLED
    assert deployment.blobs(job) == set()
