"""Which calls tell by their time how quick the server is: not one that waits for a job, which takes as long as that."""

from __future__ import annotations

from contextvars import ContextVar

# Of the call that the current task serves; each call has a task of its own.
_waits: ContextVar[bool] = ContextVar("waits", default=False)


def wait_for_job() -> None:
    """Note that the call that the current task serves waits for a job."""
    _waits.set(True)


def waits_for_job() -> bool:
    """Return whether the call that the current task serves waits for a job."""
    return _waits.get()
