"""The threads that decode, scale and encode pictures, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from time import perf_counter
from typing import ParamSpec, TypeVar

from impasto.engine import Provider, cuda_is_here
from impasto.machine import usable_cores
from impasto_server.errors import ShuttingDown
from impasto_server.life.watchdog import Overdue

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME = "impasto-codec"
_BESIDE_PROCESSORS = 2  # an engine on the processor takes the cores itself
_MOST = 8  # each may decode a photo of the largest size


def threads_beside(provider: str) -> int:
    """Return how many codec threads serve an engine best.

    Args:
        provider: as the configuration names it: a Provider's value, or auto.
    """
    on_a_gpu = provider == Provider.CUDA.value or (provider == "auto" and cuda_is_here())
    return max(_BESIDE_PROCESSORS, min(_MOST, usable_cores())) if on_a_gpu else _BESIDE_PROCESSORS


class Codec:
    """Runs work on pictures.

    Args:
        threads: how many pictures at once.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, THREAD_NAME)
        self._begun: dict[int, float] = {}  # by thread, while it works

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work, and return what comes of it."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: self._timed(lambda: work(*args, **kwargs))
        )

    def begin(self, work: Callable[[], None]) -> None:
        """Have some work done, whose end nobody waits for.

        Raises:
            ShuttingDown: the server stops.
        """
        try:
            self._pool.submit(self._timed, work)
        except RuntimeError as error:
            raise ShuttingDown("the server is shutting down") from error

    def overdue(self, seconds: float) -> Overdue | None:
        """Return work that has taken longer than this, if there is any."""
        now = perf_counter()
        for begun in list(self._begun.values()):
            if now - begun > seconds:
                return Overdue("a codec's thread", begun, {"seconds": round(now - begun, 1)})
        return None

    def close(self) -> None:
        """Drop what waits; work that has begun goes on to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _timed(self, work: Callable[[], T]) -> T:
        """Do some work, on whichever thread this is."""
        thread = get_ident()
        self._begun[thread] = perf_counter()
        try:
            return work()
        finally:
            del self._begun[thread]
