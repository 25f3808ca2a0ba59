"""A stream that stands still: told from one whose photos are in the works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from impasto_server.errors import StreamIdle

T = TypeVar("T")


class Idleness:
    """Ends the wait for a stream's next message, once nothing of the stream has been in the works for so long.

    Args:
        seconds: how long that is.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way = 0
        self._limit: asyncio.Timeout | None = None

    async def wait(self, message: Awaitable[T]) -> T:
        """Return the next message. Of one task alone.

        Raises:
            StreamIdle: it does not come.
        """
        try:
            async with asyncio.timeout(None) as self._limit:
                self._wind()
                return await message
        except TimeoutError:
            raise StreamIdle("no photo came", self._seconds) from None
        finally:
            self._limit = None

    def begun(self) -> None:
        """Note that a photo has come."""
        self._under_way += 1
        self._wind()

    def answered(self) -> None:
        """Note that the answer to a photo has been taken."""
        self._under_way -= 1
        self._wind()

    def _wind(self) -> None:
        """Start the clock where nothing is in the works, and else stop it."""
        if self._limit is not None and not self._limit.expired():
            now = asyncio.get_running_loop().time()
            self._limit.reschedule(None if self._under_way else now + self._seconds)
