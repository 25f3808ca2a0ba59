"""Requests become jobs: each once, and no more than may wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from impasto.errors import InvalidInput, QueueFull, RequestReused
from impasto.jobs import Job, Jobs, State
from tests.core.jobs.deployment import COMMISSION, GIVEN, PAINTINGS, PHOTO, Deployment, claimed, create, succeeded


def test_a_new_job_waits_and_holds_what_was_asked_for(jobs: Jobs) -> None:
    job = create(jobs, owner="ada", priority=3)

    assert len(job.id) == 32
    assert int(job.id, 16)
    assert (job.owner, job.state, job.priority, job.attempts) == ("ada", State.QUEUED, 3, 0)
    assert job.commission == COMMISSION
    assert abs(datetime.now(UTC) - job.created) < timedelta(seconds=5)
    assert (job.started, job.ended, job.expires, job.result, job.failure) == (None,) * 5
    assert jobs.get(job.id, "ada") == job


def test_pictures_lie_in_the_blob_store_and_never_in_the_database(sqlite: Deployment, tmp_path: Path) -> None:
    with sqlite.opened() as jobs:
        job = create(jobs)

        assert sqlite.blobs(job) == GIVEN
        assert (sqlite.folder / job.id / "photo").read_bytes() == PHOTO
        stored = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
        assert job.id.encode() in stored
        assert PHOTO not in stored
        assert PAINTINGS[0] not in stored


def test_a_request_made_again_returns_the_job_that_it_made(jobs: Jobs, deployment: Deployment) -> None:
    first = create(jobs, request_id="one")

    assert create(jobs, request_id="one") == first
    assert create(jobs, request_id="two").id != first.id
    assert create(jobs, request_id="one", owner="ada").id != first.id
    assert create(jobs).id != create(jobs).id
    assert len(deployment.folders()) == 5


@pytest.mark.parametrize(
    "other",
    [
        lambda jobs: jobs.create(COMMISSION, b"another photo", PAINTINGS, request_id="one"),
        lambda jobs: jobs.create(COMMISSION, PHOTO, PAINTINGS[::-1], request_id="one"),
        lambda jobs: jobs.create(COMMISSION, PHOTO + PAINTINGS[0], PAINTINGS[1:], request_id="one"),
        lambda jobs: jobs.create(replace(COMMISSION, strength=0.5), PHOTO, PAINTINGS, request_id="one"),
    ],
    ids=["photo", "order of paintings", "where one ends", "commission"],
)
def test_a_request_id_is_not_for_other_content(jobs: Jobs, other: Callable[[Jobs], Job]) -> None:
    create(jobs, request_id="one")

    with pytest.raises(RequestReused, match="this request id was used with other content"):
        other(jobs)


@pytest.mark.parametrize(
    "request_id", ["x" * 65, "", "nul\0", "line\n", "é"], ids=["long", "empty", "nul", "line", "accent"]
)
def test_a_request_id_that_cannot_be_kept_is_refused(jobs: Jobs, request_id: str) -> None:
    with pytest.raises(InvalidInput, match=r"request_id: .* is not allowed; give at most 64 letters"):
        create(jobs, request_id=request_id)


def test_the_same_request_from_many_sides_at_once_makes_one_job(jobs: Jobs, deployment: Deployment) -> None:
    at_once = threading.Barrier(8)

    def ask(_: int) -> str:
        at_once.wait()
        return create(jobs, request_id="one").id

    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(ask, range(8)))

    assert len(made) == 1
    assert deployment.folders() == made
    assert jobs.counts()[State.QUEUED] == 1


def test_a_full_queue_takes_no_more_until_a_job_has_begun(deployment: Deployment) -> None:
    with deployment.opened(queue_limit=2) as jobs:
        first = create(jobs, request_id="first")
        create(jobs)

        with pytest.raises(QueueFull) as caught:
            create(jobs)

        assert (caught.value.limit, caught.value.retry_after) == (2, 30)
        assert str(caught.value) == "2 jobs wait already, which is the limit; try again in 30 s"
        assert create(jobs, request_id="first") == first
        assert len(deployment.folders()) == 2
        claimed(jobs)
        create(jobs)


def test_a_full_queue_says_to_wait_as_long_as_recent_jobs_took_of_a_worker(deployment: Deployment) -> None:
    with deployment.opened(queue_limit=0) as full, deployment.opened() as jobs:
        for seconds in (20, 40):
            job = succeeded(jobs)
            assert job.ended
            ended = round(job.ended.timestamp() * 1e6)
            deployment.change(job, started=ended - seconds * 1_000_000, ended=ended)
        create(jobs)
        create(jobs)
        claimed(jobs, "one")
        claimed(jobs, "two")

        with pytest.raises(QueueFull) as caught:
            create(full)

        assert caught.value.retry_after == pytest.approx(15)


def test_the_queue_limit_holds_when_many_ask_at_once(deployment: Deployment) -> None:
    at_once = threading.Barrier(10)

    def ask(_: int) -> bool:
        at_once.wait()
        try:
            create(jobs)
        except QueueFull:
            return False
        return True

    with deployment.opened(queue_limit=4) as jobs, ThreadPoolExecutor(10) as threads:
        taken = list(threads.map(ask, range(10)))

        assert sum(taken) == 4
        assert jobs.counts()[State.QUEUED] == len(deployment.folders()) == 4
