"""Durable jobs: pictures that take long to paint outlive connections, servers and workers.

- records: what a job is
- store: `Jobs`, what the server does with them, and how a worker gets one
- admission: which requests become jobs
- claims: `Claim`, what a worker does with the one that it holds
- schema: the table, the database's clock, rows as records
- database: transactions on SQLite or PostgreSQL
- blobs: pictures in a folder, or where fsspec reaches
- pairing: that the two belong together

What goes wrong is in `impasto.errors`: JobError and its kinds, and StoreUnavailable.
"""

from impasto.jobs.claims import MAX_ATTEMPTS, Claim
from impasto.jobs.records import ANONYMOUS, Commission, Failure, Job, Progress, Result, State
from impasto.jobs.store import KEEP_SECONDS, LEASE_SECONDS, QUEUE_LIMIT, Jobs

__all__ = [
    "ANONYMOUS",
    "KEEP_SECONDS",
    "LEASE_SECONDS",
    "MAX_ATTEMPTS",
    "QUEUE_LIMIT",
    "Claim",
    "Commission",
    "Failure",
    "Job",
    "Jobs",
    "Progress",
    "Result",
    "State",
]
