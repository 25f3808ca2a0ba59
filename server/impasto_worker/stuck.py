"""A painter that does not come back: no thread can be killed, so the process ends, and another takes the job."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from impasto.logs import Log
from impasto_worker.painting import Order, Paint, Painted, Picture

STUCK = 3
"""The exit status; 1 and 2 are those of a start that failed."""

_LOOK_EVERY = 1.0  # s


def _end_at_once() -> None:
    sys.stderr.flush()
    os._exit(STUCK)


class Watched:
    """A painter that is watched while it paints.

    Whenever it tells of a step, or asks whether to stop, which it does between two layers, it shows that it lives. What
    is counted is looks without such a sign, not the time: that goes on while a machine, or this process, is stopped.

    Args:
        paint: the painter.
        seconds: without a sign of life, after which the process is ended.
        log: told of it.
        told: too, and first, for a log that nobody reads does not let go of who writes.
        end: ends it.
    """

    def __init__(
        self,
        paint: Paint,
        seconds: float,
        log: Log,
        *,
        told: Callable[[str], None] = lambda _: None,
        end: Callable[[], None] = _end_at_once,
    ) -> None:
        self._paint = paint
        self._seconds = seconds
        self._log = log
        self._tell = told
        self._end = end

    def __call__(
        self, order: Order, *, on_progress: Callable[[Painted], None], interrupted: Callable[[], bool]
    ) -> Picture:
        watch = _Watch(self._seconds, self._give_up)

        def told(painted: Painted) -> None:
            watch.alive()
            on_progress(painted)
            watch.alive()

        def asked() -> bool:
            watch.alive()
            return interrupted()

        watch.start()
        try:
            return self._paint(order, on_progress=told, interrupted=asked)
        finally:
            watch.stop()

    def _give_up(self) -> None:
        self._tell("the painter is stuck")
        self._log.critical(
            "the painter is stuck; ended at once, and the job is taken up by another when its lease lapses",
            seconds=self._seconds,
        )
        self._end()


class _Watch:
    """A thread that counts how often it has looked since the last sign of life."""

    def __init__(self, seconds: float, give_up: Callable[[], None]) -> None:
        self._pause = min(_LOOK_EVERY, seconds / 2)
        self._most = round(seconds / self._pause)
        self._give_up = give_up
        self._looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> None:
        self._looks = 0

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(self._pause):
            if self._looks >= self._most:
                self._give_up()
                return
            self._looks += 1
