"""Which previews one watcher gets."""

from __future__ import annotations

from time import monotonic

from impasto.errors import StoreUnavailable
from impasto.jobs import Job
from impasto_server.jobs.desk import JobDesk


class Previews:
    """Picks a job's previews for one watcher.

    Args:
        jobs: where they are.
        interval: s, between two at least; None for none at all.
    """

    def __init__(self, jobs: JobDesk, interval: float | None) -> None:
        self._jobs = jobs
        self._interval = interval
        self._last = 0
        self._due_at = 0.0

    async def due(self, job: Job) -> bytes:
        """Return a preview to send with this state; empty if none is due, or none is to be had."""
        number = job.progress.preview
        if self._interval is None or number == self._last or job.state.ended or monotonic() < self._due_at:
            return b""
        try:
            preview = await self._jobs.preview(job)
        except StoreUnavailable:
            return b""
        if preview:
            self._last, self._due_at = number, monotonic() + self._interval
        return preview or b""
