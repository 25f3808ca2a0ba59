"""The threads that decode, scale and encode pictures, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from impasto_server.errors import ShuttingDown

P = ParamSpec("P")
T = TypeVar("T")

THREAD_NAME = "impasto-codec"


class Codec:
    """Runs work on pictures.

    Args:
        threads: how many pictures at once.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, THREAD_NAME)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work, and return what comes of it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    def begin(self, work: Callable[[], None]) -> None:
        """Have some work done, whose end nobody waits for.

        Raises:
            ShuttingDown: the server stops.
        """
        try:
            self._pool.submit(work)
        except RuntimeError as error:
            raise ShuttingDown("the server is shutting down") from error

    def close(self) -> None:
        """Drop what waits; work that has begun goes on to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
