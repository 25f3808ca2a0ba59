"""How many bytes of photos and paintings all streams together may hold."""

from __future__ import annotations

import asyncio


class Budget:
    """What is held, of all streams. For one event loop.

    Args:
        limit: bytes, above which a stream that holds something already takes nothing more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._freed = asyncio.Event()
        self.held = 0

    def share(self) -> Share:
        """Return what counts for one stream."""
        return Share(self)

    async def room(self) -> None:
        """Wait until less than the limit is held."""
        while self.held >= self._limit:
            await self._freed.wait()

    def change(self, by: int) -> None:
        self.held += by
        if by < 0:
            freed, self._freed = self._freed, asyncio.Event()
            freed.set()


class Share:
    """What one stream holds: photos that are in the works, and answers that have not been taken.

    One photo it may always have, or a few streams whose callers read nothing would keep all others waiting.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._held = 0

    async def room(self) -> None:
        """Wait until the stream may take another photo."""
        if self._held:
            await self._budget.room()

    def change(self, by: int) -> None:
        """Note that it holds so many bytes more, or less."""
        self._held += by
        self._budget.change(by)

    def close(self) -> None:
        """Note that it holds nothing any more."""
        self.change(-self._held)
