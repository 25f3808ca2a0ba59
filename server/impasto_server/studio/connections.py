"""Connections of browsers."""

from __future__ import annotations

import asyncio

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """One of at most `limit_concurrency`, which has `timeout_keep_alive` seconds for the head of each request.

    uvicorn itself counts connections only when a request's head is there, and waits for the rest of a head, or for
    the first one, without end. The timer that it starts after each answer is started here with the connection, too,
    and goes on until a whole head is there, which `handle_events` stops it for.
    """

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.limit_concurrency and len(self.connections) > self.limit_concurrency:
            transport.abort()
            return
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    @override
    def data_received(self, data: bytes) -> None:
        self.conn.receive_data(data)
        self.handle_events()
