"""Many processes at once, on one deployment."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psycopg

from impasto.jobs import ANONYMOUS, State
from tests.core.jobs.deployment import Deployment, claimed, create
from tests.core.jobs.hammer import Taken, work
from tests.postgres import Postgres

PROCESSES = 4
JOBS = 30


def test_workers_that_start_at_once_do_every_job_once(deployment: Deployment) -> None:
    """The workers make the table themselves, at once; a third of the jobs lose their first worker."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as processes:
        workers = [processes.submit(work, deployment, f"worker-{k}", JOBS) for k in range(PROCESSES)]
        with deployment.opened() as jobs:
            made = [create(jobs, priority=1 if k % 3 == 0 else 0) for k in range(JOBS)]
            taken: list[Taken] = [each for worker in workers for each in worker.result(timeout=120)]
            done = jobs.list(ANONYMOUS, limit=2 * JOBS)

    last_worker = {(job, attempt): worker for job, attempt, worker in taken}
    attempts = {job.id: 2 if job.priority else 1 for job in made}
    assert sorted(last_worker) == sorted((job, k + 1) for job, many in attempts.items() for k in range(many))
    assert len(taken) == len(last_worker)
    assert {job.id for job in done} == set(attempts)
    for job in done:
        assert (job.state, job.attempts) == (State.SUCCEEDED, attempts[job.id])
        assert job.notes == (last_worker[job.id, job.attempts],)
        assert deployment.blobs(job) == {f"result-{job.attempts}"}


def test_a_job_that_another_transaction_holds_is_passed_over(postgres: Postgres, tmp_path: Path) -> None:
    deployment = Deployment(postgres.new_database(), tmp_path / "blobs")
    with deployment.opened() as jobs, psycopg.connect(deployment.database) as connection:
        first, second = create(jobs), create(jobs)
        connection.execute("SELECT id FROM impasto_jobs WHERE id = %s FOR UPDATE", [first.id])

        assert claimed(jobs).job.id == second.id
        assert jobs.claim("another") is None
        connection.rollback()
        assert claimed(jobs).job.id == first.id
