"""Who may come in: a bound on the photos in the works, so that memory is bounded and a full server says so at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from impasto_server.errors import Overloaded

# What one client may hold for each place that is free: alone it gets three quarters of all, and the more clients want
# them, the less each gets, so that some are left for the next (Choudhury and Hahne 1998, "Dynamic queue length
# thresholds", eq. 1).
_SHARE = 3


class Admission:
    """Counts requests in flight. For one event loop.

    Args:
        limit: how many there may be.
        wait: how many s a client's next request would probably wait, for those that are refused.

    Attributes:
        in_flight: how many have been admitted and have not ended.
    """

    def __init__(self, limit: int, wait: Callable[[str], float]) -> None:
        self._limit = limit
        self._wait = wait
        self._held: Counter[str] = Counter()
        self._freed = asyncio.Event()
        self.in_flight = 0

    @contextmanager
    def admit(self, client: str) -> Iterator[None]:
        """Hold a place for the duration.

        Raises:
            Overloaded: none is free, or none for this client.
        """
        if not self._has_room(client):
            who = "the server takes" if self.in_flight >= self._limit else "one client may have while so few are free"
            held = self.in_flight if self.in_flight >= self._limit else self._held[client]
            raise Overloaded(f"{held} requests are in flight, as many as {who}", self._wait(client))
        with self._place(client):
            yield

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it for the duration."""
        while not self._has_room(client):
            await self._freed.wait()
        with self._place(client):
            yield

    def _has_room(self, client: str) -> bool:
        return self._held[client] < _SHARE * (self._limit - self.in_flight)

    @contextmanager
    def _place(self, client: str) -> Iterator[None]:
        self._held[client] += 1
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
            freed, self._freed = self._freed, asyncio.Event()
            freed.set()
