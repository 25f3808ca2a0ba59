"""From a browser's call to one of gRPC in the same process: what surrounds each call there surrounds it, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import grpc
from connectrpc.request import RequestContext

from impasto_server.identity.browsers import Passage
from impasto_server.rpc.sent import REQUEST_ID, TRACEPARENT
from impasto_server.rpc.stylizer import OPERATION_KEY
from impasto_server.studio.codecs import Packed
from impasto_server.studio.refusals import refusal_of
from impasto_server.studio.uploads import passed_on

_PASSED_IN = ("authorization", TRACEPARENT, REQUEST_ID)
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),  # the server says what is too large
    ("grpc.enable_retries", 0),  # the page decides that
    ("grpc.enable_http_proxy", 0),
]

_Context = RequestContext[Any, Any]


class Tunnel:
    """Passes calls on, each in the name of its browser. For one event loop.

    Args:
        passage: by which they come in, and say whose they are.
    """

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._channel: Any = grpc.aio.insecure_channel(passage.target, options=_OPTIONS)

    async def ask(self, path: str, request: Packed, context: _Context) -> bytes:
        """Return the answer of a method that has one. Where the browser goes away, so does the call.

        Raises:
            ConnectError: as the gRPC server refused it.
        """
        call = self._channel.stream_unary(path)(**self._sent(context))
        try:
            await _write(call, request)
            await passed_on()
            _pass_back(await call.initial_metadata(), context)
            answer: bytes = await call
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None
        finally:
            call.cancel()
        return answer

    async def follow(self, path: str, request: Packed, context: _Context) -> AsyncIterator[bytes]:
        """Yield the answers of a method that has several, each when the browser has taken the one before.

        Raises:
            ConnectError: as the gRPC server refused it.
        """
        call = self._channel.unary_stream(path)(request.take(), **self._sent(context))
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        await self._channel.close()

    def _sent(self, context: _Context) -> dict[str, Any]:
        """Return how a call is to be made: in whose name, what with, and how long it may take."""
        address = (context.client_address or "").rpartition(":")[0]
        headers = context.request_headers
        passed = [(key, value) for key in _PASSED_IN for value in headers.getall(key)]
        left = context.timeout_ms
        return {
            "metadata": (self._passage.metadata(address), *passed),
            "timeout": None if left is None else max(left / 1e3, 0.0),
        }


async def _write(call: Any, request: Packed) -> None:
    """Send the one message; a call that has been refused meanwhile tells why when it is asked for its answer."""
    with suppress(asyncio.InvalidStateError):
        await call.write(request.take())
        await call.done_writing()


def _pass_back(ahead: Iterable[tuple[str, Any]], context: _Context) -> None:
    """Give the browser what the server said ahead of its answer, even if none comes in time."""
    for key, value in ahead:
        if key == OPERATION_KEY:
            context.response_headers[key] = str(value)
