"""Messages in and out of a call, each within a time, and no more large ones on their way in at once than memory is for.

gRPC makes room for a message as soon as somebody asks for it and its length is known. So a call that may bring pictures
waits for its turn before it asks, and meanwhile its upload stays with its caller.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc

from impasto.errors import InvalidInput
from impasto_server.callers import origin_of
from impasto_server.errors import Overloaded, RequestTooSlow, StreamIdle
from impasto_server.fast.admission import Admission

UPLOADS = (
    "/impasto.v1.Stylizer/Stylize",
    "/impasto.v1.Stylizer/CreateStylization",
    "/inference.GRPCInferenceService/ModelInfer",
)
"""Methods whose one request may bring pictures."""

_TRY_AGAIN_AFTER = 1.0  # s


class Transfers:
    """Receives requests, and sends the answers of streams. For one event loop.

    Args:
        receive_seconds: how long a request may wait for its turn, and how long it may then take to arrive.
        send_seconds: how long an answer of a stream may lie unread.
        at_once: requests with pictures that may be on their way in at once; of others, as many again, so that neither
            kind keeps the other waiting.
    """

    def __init__(self, *, receive_seconds: float, send_seconds: float, at_once: int) -> None:
        self._receive_seconds = receive_seconds
        self._send_seconds = send_seconds
        self._uploads = Admission(at_once, lambda _: _TRY_AGAIN_AFTER)
        self._others = Admission(at_once, lambda _: _TRY_AGAIN_AFTER)

    async def receive(self, method: str, context: Any) -> Any:
        """Return the one request of a call. Read of the context, as an iterator would hold it until the call ends.

        Raises:
            RequestTooSlow: it did not arrive in time.
            Overloaded: its turn did not come in time.
            InvalidInput: the call ended without one.
        """
        turns = self._uploads if method in UPLOADS else self._others
        async with AsyncExitStack() as turn:
            try:
                async with asyncio.timeout(self._receive_seconds):
                    await turn.enter_async_context(turns.turn(origin_of(context)))
            except TimeoutError:
                raise Overloaded(
                    f"{turns.in_flight} requests were being received at once, and did not end within "
                    f"{self._receive_seconds:g} s",
                    _TRY_AGAIN_AFTER,
                ) from None
            try:
                async with asyncio.timeout(self._receive_seconds):
                    request = await context.read()
            except TimeoutError:
                raise RequestTooSlow(self._receive_seconds) from None
        if request is grpc.aio.EOF:
            raise InvalidInput("request", "is missing; send one message")
        return request

    async def send(self, context: Any, response: Any) -> None:
        """Send one answer of a stream; on return the transport has taken it.

        Raises:
            StreamIdle: the caller reads nothing.
        """
        try:
            async with asyncio.timeout(self._send_seconds):
                await context.write(response)
        except TimeoutError:
            raise StreamIdle("no answer was read", self._send_seconds) from None
