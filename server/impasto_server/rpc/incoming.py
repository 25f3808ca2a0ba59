"""What callers send over streams, until they have sent it all, or the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

from impasto_server.errors import ShuttingDown
from impasto_server.rpc.idleness import Idleness

Message = TypeVar("Message")


class Incoming:
    """Reads streams. For one event loop."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Read nothing further of any of them."""
        self._closing.set()

    async def read(self, messages: AsyncIterator[Message], idleness: Idleness) -> AsyncGenerator[Message, None]:
        """Yield what a caller sends.

        Raises:
            ShuttingDown: the server stops.
            StreamIdle: nothing comes.
        """
        ending: asyncio.Future[Any] = asyncio.ensure_future(self._closing.wait())
        try:
            while (message := await idleness.wait(_next(messages, ending))) is not None:
                yield message
        finally:
            ending.cancel()


async def _next(messages: AsyncIterator[Message], ending: asyncio.Future[Any]) -> Message | None:
    """Return the next message, or None at their end.

    Raises:
        ShuttingDown: that came first.
    """
    reading: asyncio.Future[Message | None] = asyncio.ensure_future(anext(messages, None))
    try:
        await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise ShuttingDown("the server is shutting down; send the photos that have no answer again")
        return reading.result()
    finally:
        reading.cancel()
