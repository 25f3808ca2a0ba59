"""Workers and servers of the tests, in processes of their own."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from impasto.errors import JobQuotaReached
from tests.core.jobs.deployment import FILE, PROGRESS, RESULT, Deployment, create

THREADS = 2

Taken = tuple[str, int, str]
"""The job's id, the attempt, and the worker's name."""


def work(deployment: Deployment, name: str, expected: int) -> list[Taken]:
    """Do jobs with some threads until this many have ended; let every first attempt at a marked job die."""
    with deployment.opened() as jobs:

        def one(thread: int) -> list[Taken]:
            worker = f"{name}-{thread}"
            taken = []
            while sum(count for state, count in jobs.counts().items() if state.ended) < expected:
                claim = jobs.claim(worker)
                if claim is None:
                    time.sleep(0.01)
                    continue
                taken.append((claim.job.id, claim.attempt, worker))
                if claim.job.priority and claim.attempt == 1:
                    deployment.let_lapse(claim)
                    continue
                claim.report(PROGRESS, preview=worker.encode())
                claim.save_checkpoint(worker.encode(), PROGRESS)
                claim.succeed(FILE, RESULT, notes=[worker])
            return taken

        with ThreadPoolExecutor(THREADS) as threads:
            return [taken for some in threads.map(one, range(THREADS)) for taken in some]


def create_up_to(deployment: Deployment, owner: str, quota: int, tries: int) -> int:
    """Try so often to queue a job for an owner, and return how many were taken."""
    made = 0
    with deployment.opened() as jobs:
        for _ in range(tries):
            try:
                create(jobs, owner=owner, quota=quota)
                made += 1
            except JobQuotaReached:
                pass
    return made
