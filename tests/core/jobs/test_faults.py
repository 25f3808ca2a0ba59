"""Full disks, and stores that go away and come back: nothing is half-written, nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from impasto.errors import LeaseLost, StoreUnavailable
from impasto.jobs import ANONYMOUS, Claim, Failure, Jobs, State
from impasto.jobs.blobs import MARKER, Blobs
from impasto.jobs.database import Database
from impasto.jobs.pairing import pair
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
from tests.postgres import Postgres
from tests.support import files_no_larger_than

LARGE = bytes(100_000)


# A full disk


def test_a_photo_that_does_not_fit_makes_no_job(jobs: Jobs, deployment: Deployment) -> None:
    with files_no_larger_than(50_000), pytest.raises(StoreUnavailable, match=r"cannot be used: .*large"):
        jobs.create(COMMISSION, PHOTO, [PAINTINGS[0], LARGE], request_id="one")

    assert jobs.list(ANONYMOUS, limit=10) == []
    assert [path.name for path in deployment.folder.iterdir()] == [MARKER]
    assert jobs.create(COMMISSION, PHOTO, [PAINTINGS[0], LARGE], request_id="one").state is State.QUEUED


def test_a_row_that_does_not_fit_makes_no_job(sqlite: Deployment) -> None:
    with sqlite.opened() as jobs:
        before = create(jobs)

        with files_no_larger_than(1000), pytest.raises(StoreUnavailable, match=r"jobs\.sqlite cannot be used"):
            create(jobs)

        assert jobs.list(ANONYMOUS, limit=10) == [before]
        assert sqlite.folders() == {before.id}
        create(jobs)


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    before = deployment.blobs(job)

    with files_no_larger_than(50_000), pytest.raises(StoreUnavailable):
        claim.save_checkpoint(LARGE, PROGRESS)

    assert deployment.blobs(job) == before
    assert claim.checkpoint() == b"half"
    claim.save_checkpoint(LARGE, PROGRESS)
    assert claim.checkpoint() == LARGE


def test_a_result_that_does_not_fit_can_be_written_later(jobs: Jobs, deployment: Deployment) -> None:
    job = create(jobs)
    claim = claimed(jobs)

    with files_no_larger_than(5_000), pytest.raises(StoreUnavailable):
        claim.succeed(FILE, RESULT)

    assert again(jobs, job).state is State.RUNNING
    assert deployment.blobs(job) == GIVEN
    claim.succeed(FILE, RESULT)
    assert b"".join(jobs.read_result(again(jobs, job))) == FILE


# A store that goes away and comes back


Call = Callable[[Jobs, Claim], object]

EVERY_CALL: dict[str, Call] = {
    "create": lambda jobs, claim: create(jobs),
    "get": lambda jobs, claim: again(jobs, claim.job),
    "list": lambda jobs, claim: jobs.list(ANONYMOUS, limit=1),
    "cancel": lambda jobs, claim: jobs.cancel(claim.job.id, ANONYMOUS),
    "delete": lambda jobs, claim: jobs.delete(claim.job.id, ANONYMOUS),
    "preview": lambda jobs, claim: jobs.preview(claim.job),
    "counts": lambda jobs, claim: jobs.counts(),
    "sweep": lambda jobs, claim: jobs.sweep(),
    "ping": lambda jobs, claim: jobs.ping(),
    "claim": lambda jobs, claim: jobs.claim("another"),
    "renew": lambda jobs, claim: claim.renew(),
    "report": lambda jobs, claim: claim.report(PROGRESS, preview=b"preview"),
    "save": lambda jobs, claim: claim.save_checkpoint(b"more", PROGRESS),
    "succeed": lambda jobs, claim: claim.succeed(FILE, RESULT),
    "fail": lambda jobs, claim: claim.fail(Failure("EngineError", "no")),
    "cancelled": lambda jobs, claim: claim.cancelled(),
    "release": lambda jobs, claim: claim.release(),
}
OF_BLOBS: dict[str, Call] = {
    "create": EVERY_CALL["create"],
    "photo": lambda jobs, claim: claim.photo(),
    "checkpoint": lambda jobs, claim: claim.checkpoint(),
    "preview": EVERY_CALL["preview"],
    "report": EVERY_CALL["report"],
    "save": EVERY_CALL["save"],
    "succeed": EVERY_CALL["succeed"],
    "ping": EVERY_CALL["ping"],
}


def begun(jobs: Jobs) -> Claim:
    """Return a claim with all that one has."""
    create(jobs)
    claim = claimed(jobs)
    claim.save_checkpoint(b"half", PROGRESS)
    claim.report(PROGRESS, preview=b"preview")
    return claim


def missed(calls: dict[str, Call], jobs: Jobs, claim: Claim, reason: str) -> set[str]:
    """Return which of the calls say that the store cannot be used, for this reason."""
    names = set()
    for name, call in calls.items():
        try:
            call(jobs, claim)
        except StoreUnavailable as error:
            if reason in str(error):
                names.add(name)
    return names


def goes_on(jobs: Jobs, claim: Claim) -> None:
    """Finish a job as if nothing had been."""
    assert claim.checkpoint() == b"half"
    assert (claim.photo(), claim.paintings()) == (PHOTO, PAINTINGS)
    assert not claim.renew()
    claim.succeed(FILE, RESULT)
    assert b"".join(jobs.read_result(again(jobs, claim.job))) == FILE
    assert jobs.counts() == dict.fromkeys(State, 0) | {State.SUCCEEDED: 1}


@contextmanager
def away(path: Path) -> Iterator[None]:
    """Let a file or folder be elsewhere for a while."""
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path)


def test_a_database_file_that_goes_away_is_missed_and_then_used_again(sqlite: Deployment, tmp_path: Path) -> None:
    with sqlite.opened() as jobs:
        claim = begun(jobs)
        before = sqlite.blobs(claim.job)

        with away(tmp_path / "state"):
            assert missed(EVERY_CALL, jobs, claim, "unable to open database file") == set(EVERY_CALL)

        assert sqlite.blobs(claim.job) >= before
        goes_on(jobs, claim)
        assert sqlite.blobs(claim.job) == {"result-1"}


def test_postgresql_may_restart(postgres: Postgres, tmp_path: Path) -> None:
    deployment = Deployment(postgres.new_database(), tmp_path / "blobs")
    with deployment.opened() as jobs:
        claim = begun(jobs)

        postgres.stop()
        try:
            assert missed(EVERY_CALL, jobs, claim, "Connection refused") == set(EVERY_CALL)
        finally:
            postgres.start()

        goes_on(jobs, claim)


@pytest.mark.parametrize("empty", [False, True], ids=["gone", "unmounted"])
def test_a_blob_store_that_goes_away_is_missed_and_then_used_again(
    jobs: Jobs, deployment: Deployment, empty: bool
) -> None:
    claim = begun(jobs)

    with away(deployment.folder):
        if empty:
            deployment.folder.mkdir()
        assert missed(OF_BLOBS, jobs, claim, "impasto-blobs is gone from it") == set(OF_BLOBS)
        if empty:
            deployment.folder.rmdir()

    assert jobs.counts() == dict.fromkeys(State, 0) | {State.RUNNING: 1}
    goes_on(jobs, claim)


def test_a_job_is_deleted_though_its_pictures_cannot_be_reached_and_they_are_swept_later(
    jobs: Jobs, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    job = create(jobs)

    with away(deployment.folder):
        jobs.delete(job.id, ANONYMOUS)

    assert f"the pictures of job {job.id}, which is deleted, stay until they are swept" in caplog.text
    assert deployment.folders() == {job.id}
    for path in (deployment.folder / job.id, *(deployment.folder / job.id).iterdir()):
        os.utime(path, (1, 1))
    jobs.sweep()
    assert deployment.folders() == set()


# An answer that is lost


class Unlucky(Database):
    """A database whose next transactions of some kind are committed, but nobody is told."""

    unlucky = ""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            yield connection
        self._lose_answer("write")

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        with super().alone() as connection:
            yield connection
        self._lose_answer("alone")

    def _lose_answer(self, kind: str) -> None:
        if self.unlucky == kind:
            self.unlucky = ""
            raise StoreUnavailable(self.name, "the connection broke")


@pytest.fixture
def unlucky(deployment: Deployment) -> Iterator[tuple[Jobs, Unlucky]]:
    database = Unlucky.open(deployment.database)
    assert isinstance(database, Unlucky)
    blobs = Blobs.open(str(deployment.folder))
    pair(database, blobs)
    yield Jobs(database, blobs, queue_limit=10, keep_seconds=60, lease_seconds=60), database
    database.close()


def test_a_job_that_was_made_after_all_is_returned(unlucky: tuple[Jobs, Unlucky], deployment: Deployment) -> None:
    jobs, database = unlucky
    database.unlucky = "alone"

    job = create(jobs)

    assert jobs.list(ANONYMOUS, limit=10) == [job]
    assert deployment.blobs(job) == GIVEN


ENDINGS: dict[State, Callable[[Claim], None]] = {
    State.SUCCEEDED: lambda claim: claim.succeed(FILE, RESULT),
    State.FAILED: lambda claim: claim.fail(Failure("EngineError", "no")),
    State.CANCELLED: lambda claim: claim.cancelled(),
    State.QUEUED: lambda claim: claim.release(),
}


@pytest.mark.parametrize("state", ENDINGS, ids=lambda state: state.value)
def test_an_end_that_was_written_after_all_can_be_written_again(
    unlucky: tuple[Jobs, Unlucky], deployment: Deployment, state: State
) -> None:
    jobs, database = unlucky
    claim = begun(jobs)
    database.unlucky = "write"
    with pytest.raises(StoreUnavailable):
        ENDINGS[state](claim)

    ENDINGS[state](claim)

    job = again(jobs, claim.job)
    assert job.state is state
    if state is State.SUCCEEDED:
        assert b"".join(jobs.read_result(job)) == FILE
        assert deployment.blobs(job) == {"result-1"}


def test_a_checkpoint_that_was_written_after_all_is_there_for_the_next_attempt(
    unlucky: tuple[Jobs, Unlucky], deployment: Deployment
) -> None:
    jobs, database = unlucky
    claim = begun(jobs)
    database.unlucky = "write"
    with pytest.raises(StoreUnavailable):
        claim.save_checkpoint(b"more", PROGRESS)

    deployment.let_lapse(claim)
    other = claimed(jobs)

    assert other.checkpoint() == b"more"
    with pytest.raises(LeaseLost):
        claim.save_checkpoint(b"even more", PROGRESS)
    assert other.checkpoint() == b"even more"
    other.succeed(FILE, RESULT)
    assert deployment.blobs(other.job) == {"result-2"}
