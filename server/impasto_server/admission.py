"""Who may come in: a bound on the photos in the works, so that memory is bounded and a full server says so at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from impasto_server.errors import Overloaded


class Admission:
    """Counts requests in flight. For one event loop.

    Attributes:
        in_flight: how many have been admitted and have not ended.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.in_flight = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place for the duration, or raise Overloaded."""
        if self.in_flight >= self._limit:
            raise Overloaded(f"{self._limit} requests are in flight, as many as this server takes; try again later")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
