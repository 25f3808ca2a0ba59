"""Whether the event loop turns: seen from a thread, since everything else of the server lives in the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from impasto.logs import Log
from impasto_server.life.ending import Status, end_at_once, main_thread_at

_BEAT = 1.0  # s


class Pulse:
    """Asks a loop for a sign of life once a second. It counts the questions and not the time, which goes on while a
    whole machine, or just this process, is stopped.

    Args:
        seconds: without a sign, after which `end` is called.
        log: told of it.
        end: takes what is to be said and the status; ends the process by default.
    """

    def __init__(
        self, seconds: float, log: Log, *, end: Callable[[Callable[[], None], Status], None] = end_at_once
    ) -> None:
        self._most = max(1, round(seconds / _BEAT))
        self._log = log
        self._end = end
        self._missed = 0
        self._over = threading.Event()

    @contextmanager
    def watching(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Watch a loop while the block lasts."""
        thread = threading.Thread(target=self._watch, args=(loop,), name="impasto-pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._over.wait(_BEAT):
            if self._missed >= self._most:
                self._end(self._say, Status.DEAF)
                return
            self._missed += 1
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._beat)

    def _beat(self) -> None:
        self._missed = 0

    def _say(self) -> None:
        self._log.critical(
            "the event loop does not turn; ended at once",
            seconds=round(self._most * _BEAT),
            status=int(Status.DEAF),
            at=main_thread_at(),
        )
