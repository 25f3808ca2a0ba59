"""One owner may have so many jobs that have not ended, whoever else has how many."""

from __future__ import annotations

import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from impasto.errors import JobQuotaReached, QueueFull
from impasto.jobs import Jobs, State
from tests.core.jobs.deployment import FILE, RESULT, Deployment, claimed, create
from tests.core.jobs.hammer import create_up_to


def test_an_owner_has_no_more_than_its_quota_until_one_has_ended(jobs: Jobs, deployment: Deployment) -> None:
    first = create(jobs, owner="ada", quota=2)
    second = create(jobs, owner="ada", quota=2)

    with pytest.raises(JobQuotaReached) as caught:
        create(jobs, owner="ada", quota=2)

    assert (caught.value.limit, caught.value.retry_after) == (2, 30)
    assert str(caught.value).startswith("2 jobs that have not ended yet, as many as one caller may have; cancel one")
    assert deployment.folders() == {first.id, second.id}
    create(jobs, owner="bob", quota=2)

    claim = claimed(jobs)
    with pytest.raises(JobQuotaReached):  # one that runs counts as well
        create(jobs, owner="ada", quota=2)
    claim.succeed(FILE, RESULT)
    create(jobs, owner="ada", quota=2)
    jobs.cancel(second.id, "ada")
    create(jobs, owner="ada", quota=2)


def test_without_a_quota_there_is_any_number(jobs: Jobs) -> None:
    for _ in range(5):
        create(jobs, owner="ada", quota=0)
    assert jobs.counts()[State.QUEUED] == 5


def test_a_request_made_again_is_no_further_job(jobs: Jobs) -> None:
    job = create(jobs, owner="ada", request_id="one", quota=1)
    assert create(jobs, owner="ada", request_id="one", quota=1) == job


def test_an_owner_at_its_quota_is_told_of_that_and_not_of_the_queue(deployment: Deployment) -> None:
    with deployment.opened(queue_limit=1) as jobs:
        create(jobs, owner="ada", quota=1)
        with pytest.raises(JobQuotaReached, match="1 job that has not ended yet"):
            create(jobs, owner="ada", quota=1)
        with pytest.raises(QueueFull):
            create(jobs, owner="bob", quota=1)


def test_the_quota_holds_when_many_ask_at_once(jobs: Jobs, deployment: Deployment) -> None:
    at_once = threading.Barrier(8)

    def ask(_: int) -> bool:
        at_once.wait()
        try:
            create(jobs, owner="ada", quota=3)
        except JobQuotaReached:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 3
    assert len(deployment.folders()) == 3


def test_the_quota_holds_over_several_servers(deployment: Deployment) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        made = [processes.submit(create_up_to, deployment, "ada", 5, 20) for _ in range(3)]
        assert sum(each.result(timeout=120) for each in made) == 5
    with deployment.opened() as jobs:
        assert len(jobs.list("ada", limit=100)) == 5
