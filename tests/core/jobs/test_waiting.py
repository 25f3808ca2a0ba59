"""How long jobs have waited, as the store tells it."""

from __future__ import annotations

import time

from impasto.jobs import Jobs
from tests.core.jobs.deployment import Deployment, claimed, create

MINUTE = 60_000_000  # of the table's unit of time


def test_nothing_has_waited_where_nothing_waits(jobs: Jobs) -> None:
    assert jobs.longest_wait() == 0
    create(jobs)
    claimed(jobs)
    assert jobs.longest_wait() == 0


def test_the_oldest_that_waits_counts_whatever_its_priority(deployment: Deployment, jobs: Jobs) -> None:
    old = create(jobs, priority=-1)
    create(jobs, priority=5)
    deployment.change(old, created=_ago(10))

    assert 600 <= jobs.longest_wait() < 660


def test_a_job_whose_worker_died_waits_since_then(deployment: Deployment, jobs: Jobs) -> None:
    job = create(jobs)
    deployment.change(job, created=_ago(60))
    claimed(jobs)
    deployment.change(job, lease_until=_ago(5))

    assert 300 <= jobs.longest_wait() < 360


def test_a_job_that_was_given_back_waits_since_then(deployment: Deployment, jobs: Jobs) -> None:
    job = create(jobs)
    deployment.change(job, created=_ago(60))
    claimed(jobs).release()

    assert 0 <= jobs.longest_wait() < 60
    assert claimed(jobs).job.id == job.id


def test_a_job_that_nobody_shall_take_does_not_wait(deployment: Deployment, jobs: Jobs) -> None:
    job = create(jobs)
    claimed(jobs)
    deployment.change(job, lease_until=_ago(5), tries=3)

    assert jobs.longest_wait() == 0


def _ago(minutes: int) -> int:
    """Return a time as the table has it."""
    return time.time_ns() // 1000 - minutes * MINUTE
