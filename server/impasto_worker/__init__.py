"""The worker: jobs out of the store, painted with torch, back into it. Runs in processes of its own."""

import sys

from impasto import programs, readiness


def program() -> int:
    """The program `impasto-worker`."""
    if sys.argv[1:2] == [readiness.COMMAND]:  # before anything that takes long to import
        return readiness.main("impasto-worker", sys.argv[2:])
    return programs.run("impasto_worker.main", extra="optimize")
