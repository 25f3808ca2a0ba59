"""The worker: jobs out of the store, painted with torch, back into it. Runs in processes of its own."""

from impasto import programs


def program() -> int:
    """The program `impasto-worker`."""
    return programs.run("impasto_worker.main", extra="optimize")
