"""The worker's life: open the store, then one job after the other until it is asked to stop."""

from __future__ import annotations

from collections.abc import Callable

from impasto.errors import StoreUnavailable
from impasto.images import Limits
from impasto.jobs import Claim, Jobs
from impasto.logs import Log
from impasto_worker.attempt import Attempt, Outcome
from impasto_worker.backoff import Backoff
from impasto_worker.painting import Paint
from impasto_worker.reporting import Pace
from impasto_worker.stopping import Stop

_IDLE_SECONDS = 0.25  # between two looks for a job


class Worker:
    """Takes jobs out of a store and paints them, one at a time."""

    def __init__(
        self,
        open_store: Callable[[], Jobs],
        paint: Paint,
        *,
        name: str,
        pace: Pace,
        lease_seconds: float,
        limits: Limits,
        mark: bytes,
        stop: Stop,
        log: Log,
    ) -> None:
        """Set up.

        Args:
            open_store: returns the store, or raises StoreUnavailable.
            paint: the painter.
            name: no other worker's.
            pace: how often what is told to the store.
            lease_seconds: how long the store leaves a job to a worker that says nothing.
            limits: what a picture may be.
            mark: the XMP packet of what is painted; empty for none.
            stop: asked between two jobs, and in the middle of one.
            log: one line a job, and what goes wrong.
        """
        self._open_store = open_store
        self._paint = paint
        self._name = name
        self._pace = pace
        self._lease_seconds = lease_seconds
        self._limits = limits
        self._mark = mark
        self._stop = stop
        self._log = log
        self._backoff = Backoff()

    def run(self) -> None:
        """Work until asked to stop; a store that cannot be reached is waited for.

        Raises:
            InvalidInput: the store's URL means nothing.
            MissingDependency: what reaches such a store is not installed.
        """
        jobs = self._opened()
        if jobs is None:
            return
        self._log.info("ready", worker=self._name)
        try:
            while not self._stop.asked:
                self._work(jobs)
        finally:
            jobs.close()

    def _opened(self) -> Jobs | None:
        while not self._stop.asked:
            try:
                jobs = self._open_store()
            except StoreUnavailable as error:
                self._wait_for_store(error)
            else:
                self._backoff.reset()
                return jobs
        return None

    def _work(self, jobs: Jobs) -> None:
        """Do one job, or wait a little where there is none."""
        try:
            claim = jobs.claim(self._name)
        except StoreUnavailable as error:
            self._wait_for_store(error)
            return
        if claim is None:
            self._stop.wait(_IDLE_SECONDS)
        elif self._attempt(claim) is Outcome.RELEASED:
            self._stop.wait(self._backoff.next())  # so that a worker that can reach its pictures takes it first
            return
        self._backoff.reset()

    def _attempt(self, claim: Claim) -> Outcome:
        attempt = Attempt(
            claim,
            self._paint,
            pace=self._pace,
            lease_seconds=self._lease_seconds,
            limits=self._limits,
            mark=self._mark,
            stop=self._stop,
            log=self._log,
        )
        return attempt.run()

    def _wait_for_store(self, error: StoreUnavailable) -> None:
        pause = self._backoff.next()
        self._log.warning("the store cannot be reached; trying again", reason=str(error), seconds=pause)
        self._stop.wait(pause)
