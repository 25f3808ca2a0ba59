"""Both clients, awaited alike, beside a real server in the test's own event loop; what to send and to expect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Event
from typing import Any

import pytest

from impasto import images
from impasto.codes import Codes
from impasto.engine import Cancellation, FakeEngine
from impasto.images import Format, Pixels, Planes
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import AsyncClient, Client, StreamResult, Stylized
from tests.client.servers import Call
from tests.support import gradient

LONG = 60.0  # s; no test should take so long

_END: Any = object()

StylizeStream = Callable[..., AsyncGenerator[StreamResult, None]]
Connect = Callable[[object], AbstractAsyncContextManager[StylizeStream]]
"""From a target to what `stylize_stream` is called there."""


@asynccontextmanager
async def synchronous(target: object) -> AsyncIterator[StylizeStream]:
    """Connect the synchronous client, whose every step is made in a thread."""
    with Client(str(target)) as client:

        def stream(*arguments: Any, **options: Any) -> AsyncGenerator[StreamResult, None]:
            return _in_threads(client.stylize_stream(*arguments, **options))

        yield stream


@asynccontextmanager
async def asynchronous(target: object) -> AsyncIterator[StylizeStream]:
    """Connect the asyncio client."""
    async with AsyncClient(str(target)) as client:
        yield client.stylize_stream


either_client = pytest.mark.parametrize("connect", [synchronous, asynchronous])


async def _in_threads(results: Generator[StreamResult, None, None]) -> AsyncGenerator[StreamResult, None]:
    try:
        while (result := await asyncio.to_thread(next, results, _END)) is not _END:
            yield result
    finally:
        await asyncio.to_thread(results.close)


async def collect(results: AsyncGenerator[StreamResult, None]) -> list[StreamResult]:
    return [result async for result in results]


class HoldsWidth(FakeEngine):
    """An engine that holds every picture of one width, in px, until it is let go."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width
        self.entered = Event()
        self.release = Event()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        if images.shape[-1] == self._width:
            self.entered.set()
            assert self.release.wait(LONG)
        return super().run(images, codes, cancellation)


def echoed(request: pb.StylizeStreamRequest) -> pb.StylizeStreamResponse:
    """Return an answer with the photo itself, as if it had been painted."""
    item = request.item
    return pb.StylizeStreamResponse(id=item.id, response=pb.StylizeResponse(image=item.request.image))


def echo_stream(call: Call) -> Iterator[pb.StylizeStreamResponse]:
    """Answer every photo of a stream with itself."""
    return (echoed(request) for request in call.request if request.HasField("item"))


def photo(width: int = 64, height: int = 48) -> bytes:
    return images.encode(gradient(width, height), format=Format.PNG)


def negative(width: int = 64, height: int = 48) -> Pixels:
    return 255 - gradient(width, height)


def pixels(stylized: Stylized) -> Pixels:
    return images.decode(stylized.image, limits=images.Limits(min_side=1))
