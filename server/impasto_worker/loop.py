"""The worker's life: open the store, then one job after the other until it is asked to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

from impasto.backoff import Backoff
from impasto.errors import StoreUnavailable
from impasto.images import Limits
from impasto.jobs import Claim, Jobs
from impasto.logs import Log
from impasto.tracing import Tracing
from impasto_worker.attempt import Attempt, Outcome
from impasto_worker.painting import Paint
from impasto_worker.reporting import Pace
from impasto_worker.stopping import Stop
from impasto_worker.vitals import Vitals

_IDLE_SECONDS = 0.25  # between two looks for a job
_PING_SECONDS = 5.0  # between two looks whether pictures can be had; jobs themselves tell of the database


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
        vitals: Vitals,
        tracing: Tracing,
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
            vitals: told of the store and of each job.
            tracing: of each attempt a span.
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
        self._vitals = vitals
        self._tracing = tracing
        self._log = log
        self._backoff = Backoff()
        self._away = False
        self._ping_due = 0.0

    def run(self) -> None:
        """Work until asked to stop; a store that cannot be reached is waited for.

        Raises:
            InvalidInput: the store's URL means nothing.
            MissingDependency: what reaches such a store is not installed.
        """
        with self._stop.at_once():
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
                self._reached_store()
                self._backoff.reset()
                return jobs
        return None

    def _work(self, jobs: Jobs) -> None:
        """Do one job, or wait a little where there is none."""
        try:
            self._look_for_pictures(jobs)
            claim = jobs.claim(self._name)
        except StoreUnavailable as error:
            self._wait_for_store(error)
            return
        self._reached_store()
        if claim is None:
            self._stop.wait(_IDLE_SECONDS)
        elif self._attempt(claim) is Outcome.RELEASED:
            self._ping_due = 0.0  # its pictures may be out of reach: then no other job is any better
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
            vitals=self._vitals,
            tracing=self._tracing,
            log=self._log,
        )
        self._vitals.measure.begun()
        begin = time.monotonic()
        outcome = attempt.run()
        self._vitals.measure.ended(outcome.value, time.monotonic() - begin)
        return outcome

    def _look_for_pictures(self, jobs: Jobs) -> None:
        """Raise StoreUnavailable if pictures cannot be had; now and then, and until they can."""
        if time.monotonic() >= self._ping_due:
            with self._stop.at_once():
                jobs.ping()
            self._ping_due = time.monotonic() + _PING_SECONDS

    def _wait_for_store(self, error: StoreUnavailable) -> None:
        self._vitals.store_away(str(error))
        if not self._away:
            self._log.warning("the store cannot be reached; trying again", reason=str(error))
        self._away = True
        self._stop.wait(self._backoff.next())

    def _reached_store(self) -> None:
        self._vitals.store_there()
        if self._away:
            self._log.info("the store is back")
        self._away = False
