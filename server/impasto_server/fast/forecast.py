"""Whether a photo that comes in now would be done in time: so that who must be refused is refused before any work."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from impasto_server.callers import Caller
from impasto_server.errors import Overloaded
from impasto_server.fast.scheduler import Scheduler, refuse_late
from impasto_server.painting import Painting

_NEWS = 0.1  # the weight of the latest photo in the means


class Forecast:
    """Guesses from the queue, and from what the latest photos took. For one event loop.

    Args:
        scheduler: whose queue it is.
        runs: how many batches are painted at once.
        longest: s, that a photo may be expected to wait.
    """

    def __init__(self, scheduler: Scheduler, runs: int, longest: float) -> None:
        self._scheduler = scheduler
        self._runs = runs
        self._longest = longest
        self._lock = Lock()
        self._coming = 0  # photos that have been admitted and are not in the scheduler's queue yet
        self._painting = 0.0  # s, that a picture takes an engine, on average
        self._rest = 0.0  # s, that everything else takes

    def wait(self, client: str) -> float:
        """Return how many seconds the next photo of this client would probably wait for an engine."""
        return self._scheduler.wait(client) + self._coming * self._painting / self._runs

    def check(self, caller: Caller) -> None:
        """Refuse a photo that cannot be done in time. With nobody before it, it may try: the guess may be wrong.

        Raises:
            TooLate: the caller would have given up by then.
            Overloaded: it would wait longer than this server lets anyone wait.
        """
        wait = self.wait(caller.client)
        if not wait:
            return
        if wait > self._longest:
            raise Overloaded(
                f"it would be {wait:.2g} s until this is begun, and this server lets nobody wait longer than "
                f"{self._longest:g} s",
                wait - self._longest,
            )
        if caller.due is not None:
            refuse_late(wait, self._painting + self._rest, caller.due)

    def comes(self) -> Callable[[], None]:
        """Count a photo that has been admitted, and return what to call, from any thread, when it is in the queue."""
        with self._lock:
            self._coming += 1
        return self._has_come

    def note(self, painting: Painting) -> None:
        """Learn from a photo that is done."""
        if painting.batch:
            seconds = painting.seconds
            self._painting = _mean(self._painting, seconds["engine"] / painting.batch)
            self._rest = _mean(self._rest, seconds["decode"] + seconds["encode"])

    def _has_come(self) -> None:
        with self._lock:
            self._coming -= 1


def _mean(known: float, news: float) -> float:
    return known + _NEWS * (news - known) if known else news
